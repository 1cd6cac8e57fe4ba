"""Several windows per session, the source's own splits, and samples as they stand in the file."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from torch_brain.data import Data

from neds.config.load import check_config
from neds.conversion.settings import ConvertRun
from neds.conversion.stage import convert
from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned
from neds.modalities import BUILT_IN
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from neds.partition.views import ViewSettings
from neds.plan.plan import Plan
from tests import brain_wide_bench as bench

MOVEMENT = ["spikes", "wheel_speed", "whisker_motion_energy", "left_paw_speed", "right_paw_speed"]
VIEWS = {
    "choice": ViewSettings(
        align="firstMovement_times", window_start_s=-1.0, window_end_s=0.0, modalities=["spikes", "choice"]
    ),
    "movement": ViewSettings(align="firstMovement_times", window_start_s=0.0, window_end_s=1.0, modalities=MOVEMENT),
    "feedback": ViewSettings(
        align="feedback_times", window_start_s=0.0, window_end_s=1.0, modalities=["spikes", "reward", "licks"]
    ),
    "stimulus": ViewSettings(
        align="stimOn_times", window_start_s=-0.9, window_end_s=0.1, modalities=["spikes", "stimulus_contrast"]
    ),
}
CUT = PartitionSettings(
    bin_s=0.02,
    trial_rule="valid",
    trace_values="samples",
    holes="keep",
    split="file",
    split_intervals={split: [f"ts1_{split}_domain"] for split in ("train", "val", "test")},
    min_trials=5,
    min_units=2,
    min_rate_hz=0.0,
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """A file of the benchmark, with its raw file beside."""
    path = bench.write_recording(tmp_path_factory.mktemp("views") / "aaaa.h5", seed=1)
    names = {name for view in VIEWS.values() for name in view.modalities or []}
    settings = ConvertRun(modalities=[BUILT_IN[name] for name in sorted(names)])
    convert(format="brainsets", file=path, eid="aaaa", settings=settings, output=path.with_suffix(".raw"))
    return path


def cut(recording: Path, view: str, **changes) -> AlignedSession:
    settings = VIEWS[view].cutting(CUT.model_copy(update=changes))
    run = PartitionRun(modalities=[BUILT_IN[name] for name in VIEWS[view].modalities or []], partition=settings)
    output = recording.with_name(f"{view}.h5")
    partition(raw=recording.with_suffix(".raw"), settings=run, output=output, view=view)
    return read_aligned(output)


@pytest.mark.parametrize("view", VIEWS)
def test_trials_and_splits_are_those_of_the_file(view, recording):
    session = cut(recording, view)
    assert session.usable and session.eid == f"aaaa_{view}"
    rows = session.trials["original_index"].to_numpy()
    with h5py.File(recording) as handle:
        data = Data.from_hdf5(handle)
        window = getattr(data.task_aligned_intervals, {"movement": "movement_window"}.get(view, view), None)
        window = data.task_aligned_intervals.reward if view == "feedback" else window
        window = data.task_aligned_intervals.stimulus_contrast if view == "stimulus" else window
        for split in ("train", "val", "test"):
            domain = getattr(data, f"ts1_{split}_domain")
            inside = (window.start[:] < domain.end[0]) & (window.end[:] > domain.start[0])
            np.testing.assert_array_equal(rows[session.trials_of(split)], window.trial_index[:][inside])
        starts = dict(zip(window.trial_index[:], window.start[:], strict=True))
        for row, original in enumerate(rows):
            spikes = data.slice(starts[original], starts[original] + 1.0).spikes
            total = np.bincount(spikes.unit_index[:], minlength=bench.N_UNITS)
            kept = [int(np.flatnonzero(data.units.id[:].astype(str) == uuid)[0]) for uuid in session.units["uuid"]]
            np.testing.assert_array_equal(session.values["spikes"][row].sum(axis=0), total[kept])
    assert set(rows) & set(bench.NOT_VALID) == set()
    assert session.dropped["trials: not valid by the file"] == len(bench.NOT_VALID)
    assert session.dropped["trials: in no split of the file"] > 0


def test_values_are_the_samples_of_the_file_and_unknown_where_it_says_so(recording):
    session, feedback = cut(recording, "movement"), cut(recording, "feedback")
    with h5py.File(recording) as handle:
        data = Data.from_hdf5(handle)
        for row, start_s in enumerate(session.trials["align_time_s"]):
            inside = data.slice(start_s, start_s + 1.0)
            np.testing.assert_allclose(
                session.values["whisker_motion_energy"][row, :, 0], inside.whisker.whisker_motion_energy[:], rtol=1e-6
            )
            paws, known = session.values["left_paw_speed"][row, :, 0], inside.paws.is_left_paw_confident[:]
            np.testing.assert_allclose(paws[known], inside.paws.left_paw_speed[:][known], rtol=1e-6)
            assert np.isnan(paws[~known]).all()
        for row, start_s in enumerate(feedback.trials["align_time_s"]):
            licks = np.round(data.slice(start_s, start_s + 1.0).licks.licking_rate[:] / bench.RATE_HZ)
            np.testing.assert_array_equal(feedback.values["licks"][row, :, 0], licks)
        contrast, choice = data.trials.stimulus_contrast[:], data.trials.choice[:]
        reward = data.trials.reward[:]
    # The wheel ended before the last trial, whose other values are kept.
    assert session.trials["original_index"].iloc[-1] == bench.N_TRIALS - 1
    assert np.isnan(session.values["wheel_speed"][-1]).all()
    for view, name, truth in (
        ("choice", "choice", choice),
        ("feedback", "reward", reward),
        ("stimulus", "stimulus_contrast", contrast),
    ):
        own = cut(recording, view)
        np.testing.assert_array_equal(own.values[name], truth[own.trials["original_index"]])


def test_a_trial_of_which_a_trace_is_all_unknown_is_dropped_where_bins_are_masked(recording):
    kept, masked = cut(recording, "movement"), cut(recording, "movement", holes="mask")
    # That without a wheel, and that in which the left paw was not seen.
    assert len(masked.split) == len(kept.split) - 2
    assert masked.dropped["trials: left_paw_speed is unknown in the whole window"] == 1


def test_a_file_without_the_splits_makes_the_session_unusable(recording):
    session = cut(recording, "choice", split_intervals={"train": ["train_domain"], "val": ["v"], "test": ["w"]})
    assert session.reason.startswith("the file has no stretches train_domain for train; it has domain, ")


def configured(tmp_path: Path, **changes) -> Plan:
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("eid\trole\tpath\naaaa\ttest\ta.h5\nbbbb\ttrain\tb.h5\n")
    names = sorted({name for view in VIEWS.values() for name in view.modalities or []})
    values = {
        "source": "brainsets",
        "sessions": str(sheet),
        "modalities": names,
        "baselines": ["linear"],
        "partition": CUT.model_dump(),
        "views": {name: view.model_dump() for name, view in VIEWS.items()},
    }
    return Plan(*check_config(values | changes, base=None))


def test_every_view_has_sessions_and_models_of_its_own_from_one_raw_file(tmp_path):
    plan = configured(tmp_path)
    assert plan.test == [f"aaaa_{view}" for view in VIEWS]
    assert len(plan.outputs("convert")) == 2
    cuts = {step.wildcards["eid"]: step for step in plan.steps if step.rule == "partition"}
    assert cuts["aaaa_movement"].inputs == {"raw": ("results/raw/aaaa.h5",)}
    assert [m["name"] for m in cuts["aaaa_choice"].values["settings"]["modalities"]] == ["spikes", "choice"]
    trained = [step for step in plan.steps if step.rule == "finetune" and step.wildcards["eid"] == "aaaa_feedback"]
    (source,) = trained[0].inputs["pretrained"]
    pretraining = plan.made_by[source]
    assert pretraining.inputs["aligned"] == ("results/aligned/bbbb_feedback.h5",)
    assert pretraining.values["settings"]["modalities"] == trained[0].values["settings"]["modalities"]
    assert trained[0].values["settings"]["modalities"] == ["spikes", "reward", "licks"]
    assert plan.config.pretraining_eids("all", plan.sessions, "choice") == ["bbbb_choice"]


@pytest.mark.parametrize(
    "changes, fault",
    [
        (
            {"modalities": ["spikes", "choice"]},
            r"views.movement.modalities: modalities has no wheel_speed; name it there",
        ),
        ({"source": "synthetic", "sessions": None}, "partition.split: files of source synthetic have no splits"),
        (
            {"views": {"a_b": VIEWS["choice"].model_dump()}},
            "views.a_b: the name of a view may hold letters, digits and -",
        ),
        (
            {"views": {"a": VIEWS["choice"].model_dump() | {"modalities": []}}},
            r"views.a.modalities: is empty; name two",
        ),
        (
            {"views": {"a": VIEWS["choice"].model_dump(), "A": VIEWS["feedback"].model_dump()}},
            "views.a: is A in other letters",
        ),
        (
            {"views": {"a": VIEWS["choice"].model_dump() | {"context_s": -1.0}}},
            "views.a.context_s: must be 0 or more, not -1",
        ),
        (
            {"views": {"a": VIEWS["choice"].model_dump() | {"context_s": 250.0}}},
            "views.a: window and context_s have 12550 bins of 0.02 s, and a network reads 10000 at most",
        ),
        (
            {"views": {"a": VIEWS["choice"].model_dump() | {"window_end_s": -2.0}}},
            "views.a: window_end_s -2 must be later",
        ),
        (
            {
                "views": {
                    "a": {
                        "align": "none",
                        "window_start_s": 0.0,
                        "window_end_s": 1.0,
                        "modalities": ["spikes", "choice"],
                    }
                }
            },
            "views.a.modalities: with `align: none` there are windows and no trials",
        ),
    ],
)
def test_views_that_cannot_be_are_refused(changes, fault, tmp_path):
    with pytest.raises(UserError, match=fault):
        configured(tmp_path, **changes)


def test_a_file_without_test_stretches_is_to_train_and_validate_on(recording):
    names = {"train": ["ts1_train_domain"], "val": ["ts1_val_domain"], "test": ["pretrain_test_domain"]}
    session = cut(recording, "choice", split_intervals=names)
    assert session.usable and len(session.trials_of("train")) and not len(session.trials_of("test"))
