"""Context: what comes before a window is read, and never predicted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neds.config.load import load_config
from neds.data.store import TrialStore, stacked_valid
from neds.errors import UserError
from neds.evaluation.predict import predict
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession, counts_bytes, read_aligned, write_aligned
from neds.files.raw import Trace
from neds.modalities import PAPER, Modality
from neds.model.checkpoint import load_network
from neds.model.known import session_digest
from neds.model.masking import observe
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.settings import PartitionSettings
from neds.partition.statistics import training_statistics
from neds.partition.views import ViewSettings
from tests.aligned_sessions import make_session
from tests.test_model import CPU, LAYOUTS, SIZE, as_list, masks, whole_batch
from tests.test_partition import recording, run
from tests.test_training import settings, train_to

N_CONTEXT = 4
EXAMPLES = Path(__file__).parents[1] / "docs/examples"
IN_BINS = ("spikes", "wheel_speed", "whisker_motion_energy")


def session_with_context(eid: str = "mouse1", **how) -> AlignedSession:
    """Windows of 6 bins after 4 of context."""
    session = make_session(eid, n_bins=6 + N_CONTEXT, **how)
    values = {name: array if array.ndim == 1 else array[:, N_CONTEXT:] for name, array in session.values.items()}
    context = {name: array[:, :N_CONTEXT] for name, array in session.values.items() if array.ndim > 1}
    return replace(
        session,
        values=values,
        context=context,
        context_known={"spikes": np.ones(context["spikes"].shape[:2], bool)},
        statistics=training_statistics(values, session.modalities, session.split == 0),
    )


def make_model(*sessions: AlignedSession, **settings) -> tuple[NEDS, TrialStore]:
    store = TrialStore(list(sessions), names=list(sessions[0].modalities), device=CPU)
    torch.manual_seed(0)
    design = Design(
        ModelSettings(**SIZE, **settings),
        store.modalities,
        preset("mm", store.modalities, MaskingSettings()),
        store.n_bins,
        store.n_context,
    )
    model = NEDS(design, store.shapes).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "readouts" in name and name.endswith("weight"):
                parameter.normal_(std=0.3)
    return model, store


def differ(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_context_is_cut_as_a_longer_window_is(tmp_path):
    """Counts, traces and events before the window are those of a window that begins earlier."""
    licks = Modality(name="licks", kind="counts")
    raw = recording()
    licked = np.sort(np.random.default_rng(1).uniform(1, 250, 800))
    raw = replace(raw, traces=raw.traces | {"licks": Trace(licked, np.ones(800, np.float32))})
    same = {"modalities": PAPER | {"licks": licks}, "bin_s": 0.1, "min_rate_hz": 0.0}
    session = run(tmp_path, raw, **same, context_s=1.0)
    longer = run(tmp_path, raw, **same, window_start_s=-1.5)
    assert (session.n_context, session.n_bins, longer.n_bins) == (10, 20, 30)
    assert set(session.context) == {*IN_BINS, "licks"} and not session.remarks
    for name, before in session.context.items():
        np.testing.assert_allclose(before, longer.values[name][:, :10], rtol=1e-5)
        np.testing.assert_allclose(session.values[name], longer.values[name][:, 10:], rtol=1e-5)
    without = run(tmp_path, raw, **same)
    np.testing.assert_array_equal(without.split, session.split)
    assert session.dropped == without.dropped and not without.context


def test_what_was_not_recorded_is_unknown_and_no_trial_is_lost(tmp_path):
    """The first stimulus is 10 s after the start of the recording, and the wheel began 8 s after it."""
    raw = recording()
    wheel = raw.traces["wheel_velocity"]
    late = wheel.times > 8.0
    raw = replace(raw, traces=raw.traces | {"wheel_velocity": Trace(wheel.times[late], wheel.values[late])})
    session = run(tmp_path, raw, bin_s=0.5, context_s=15.0)
    assert session.n_trials == 60
    start_s = session.trials["align_time_s"].to_numpy()[:, None] - 0.5 + 0.5 * np.arange(-30, 0)
    known = session.context_known["spikes"]
    assert not known[start_s < -1].any() and known[start_s > 0.5].all()
    assert not session.context["spikes"][start_s < -1].any()
    of_wheel = np.isfinite(session.context["wheel_speed"][..., 0])
    assert not of_wheel[start_s < 7].any() and of_wheel[start_s > 8.5].all()
    assert any(
        line.startswith("context of wheel_speed: ") and line.endswith(", and hidden") for line in session.remarks
    )


def test_context_that_reaches_into_windows_of_another_split_is_counted(tmp_path):
    raw = recording()
    session = run(tmp_path, raw, bin_s=0.5, context_s=3.0, split="blocks", split_blocks=1, split_gap_s=0.0)
    assert [line for line in session.remarks if "reaches" in line]
    apart = run(tmp_path, raw, bin_s=0.5, context_s=3.0, split="blocks", split_blocks=1, split_gap_s=8.0)
    assert not [line for line in apart.remarks if "reaches" in line]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_file_keeps_the_context(in_memory, tmp_path):
    session = session_with_context()
    write_aligned(tmp_path / "one.h5", session)
    read = read_aligned(tmp_path / "one.h5", counts_in_memory=in_memory)
    stores = [TrialStore([each], names=list(PAPER), device=CPU) for each in (session, read)]
    first, second = (whole_batch(store) for store in stores)
    for name in IN_BINS:
        assert first.context[name].shape[1] == N_CONTEXT
        assert torch.equal(first.context[name], second.context[name])
    assert counts_bytes(tmp_path / "one.h5") == session.values["spikes"].nbytes + session.context["spikes"].nbytes
    assert session_digest(read) == session_digest(session)
    assert session_digest(replace(session, context={}, context_known={})) != session_digest(session)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bins_of_the_window_alone_are_predicted_and_context_matters(layout):
    model, store = make_model(session_with_context(), **layout)
    batch = whole_batch(store)
    nothing = torch.zeros_like(stacked_valid(batch, model.design.modalities))
    before = model(batch, nothing)
    assert before.log_rates["spikes"].shape[1] == before.means["wheel_speed"].shape[1] == store.n_bins == 6
    for name in IN_BINS:
        other = replace(batch, context=batch.context | {name: batch.context[name] + 2.0})
        assert differ(as_list(before), as_list(model(other, nothing))), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("observed", [("spikes",), ("wheel_speed", "choice"), ("choice",)])
def test_the_past_of_what_a_task_predicts_is_not_read(observed, layout):
    model, store = make_model(session_with_context(), **layout)
    batch = whole_batch(store)
    modalities = list(model.design.modalities.values())
    hidden = observe(modalities, stacked_valid(batch, model.design.modalities), set(observed))
    before = as_list(model(batch, hidden))
    unseen = {name: values + 2.0 for name, values in batch.context.items() if name not in observed}
    assert unseen and not differ(before, as_list(model(replace(batch, context=batch.context | unseen), hidden)))
    seen = {name: values + 2.0 for name, values in batch.context.items() if name in observed}
    assert differ(before, as_list(model(replace(batch, context=batch.context | seen), hidden))) == bool(seen)


def test_what_is_unknown_of_the_context_changes_nothing():
    session = session_with_context()
    session.context_known["spikes"][:, 1] = False
    session.context["wheel_speed"][:, 2] = np.nan
    other = replace(session, context={name: array.copy() for name, array in session.context.items()})
    other.context["spikes"][:, 1] += 3
    outputs = []
    for each in (session, other):
        model, store = make_model(each)
        batch = whole_batch(store)
        assert not batch.context_valid["wheel_speed"][:, 2].any() and torch.isfinite(batch.context["wheel_speed"]).all()
        outputs.append(as_list(model(batch, torch.zeros_like(stacked_valid(batch, model.design.modalities)))))
    assert not differ(*outputs)


def test_units_that_are_hidden_are_hidden_in_the_context():
    model, store = make_model(session_with_context())
    batch = whole_batch(store)
    mask = masks(model, batch, schemes=("units",))
    scrambled = torch.where(mask.hidden_units["spikes"][:, None], 9.0, batch.context["spikes"])
    other = replace(batch, context=batch.context | {"spikes": scrambled})
    outputs = [as_list(model(each.without_units(mask.hidden_units), mask.hidden)) for each in (batch, other)]
    assert not differ(*outputs)


@pytest.mark.slow
def test_a_model_learns_from_the_context(tmp_path):
    """The choice shows in the spikes before the window alone."""
    session = session_with_context(n_trials=120)
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 120)
    before = rng.poisson(0.2 + 3.0 * side[:, None, None], (120, N_CONTEXT, 7)).astype(np.uint8)
    context = session.context | {"spikes": before}
    values = session.values | {
        "spikes": rng.poisson(1.0, (120, 6, 7)).astype(np.uint8),
        "choice": side.astype(np.int8),
    }
    statistics = training_statistics(values, session.modalities, session.split == 0)
    session = replace(session, context=context, values=values, statistics=statistics)
    accuracy = {}
    for name, each in (("with", session), ("without", replace(session, context={}, context_known={}))):
        folder = train_to(tmp_path / name, settings(mode="decoding", epochs=12), each)
        model, checkpoint = load_network(folder / "best.safetensors")
        assert (model.design.n_context, checkpoint.known[0].n_context) == (
            (N_CONTEXT,) * 2 if name == "with" else (0, 0)
        )
        store = TrialStore([each], names=list(PAPER), device=CPU)
        predicted = predict(model, store, 0, "test", Task("decoding", ("spikes",), ("choice",)))["choice"]
        accuracy[name] = np.mean(predicted.argmax(1) == side[each.trials_of("test")])
    assert accuracy["with"] > 0.9 > 0.75 > accuracy["without"]


def test_a_model_of_other_context_is_not_fine_tuned(tmp_path):
    session = session_with_context()
    folder = train_to(tmp_path / "with", settings(epochs=1), session)
    other = replace(session, context={}, context_known={})
    said = "trained on 6 bins of 0.05 s from -0.2 s after 4 of context, session mouse1 has 6 .* after 0"
    with pytest.raises(UserError, match=said):
        train_to(tmp_path / "without", settings(epochs=1), other, pretrained=folder / "best.safetensors")
    with pytest.raises(UserError, match="sessions that train together need the same context"):
        train_to(tmp_path / "both", settings(epochs=1), session, replace(other, eid="mouse2"))


def test_context_is_whole_bins_and_a_view_may_have_its_own():
    with pytest.raises(ValueError, match=r"bin_s 0\.05 does not divide context_s 0\.12 into whole bins"):
        PartitionSettings(context_s=0.12)
    view = {"align": "stimOn_times", "window_start_s": 0.0, "window_end_s": 1.0}
    base = PartitionSettings(context_s=2.0)
    assert ViewSettings(**view).cutting(base).context_s == 2.0
    assert ViewSettings(**view, context_s=0.0).cutting(base).n_context == 0


@pytest.mark.parametrize(
    "text, said",
    [
        ("source: aligned\nsessions: sheet.tsv\n", "your own arrays hold no more than their window; set it to 0"),
        ("modalities: [spikes, lfp]\n", "LFP is read around the window only; set it to 0, or take lfp off modalities"),
    ],
)
def test_a_source_without_context_is_refused(text, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\none\ttest\tone.npz\n")
    (tmp_path / "mine.yaml").write_text(f"{text}regimes: [scratch]\npartition: {{context_s: 1.0}}\n")
    with pytest.raises(UserError, match=f"config key partition.context_s: {said}"):
        load_config([tmp_path / "mine.yaml"])


def test_context_is_refused_where_the_benchmark_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for sheet, example, seconds, said in (
        ("units.tsv", "brain_wide_bench_units.yaml", 1.0, "windows of the benchmark's second suite have no context"),
        ("sheet.tsv", "brain_wide_bench.yaml", 20.0, "the benchmark allows 19 s of context at most"),
    ):
        Path(sheet).write_text("eid\trole\tpath\naaaa\ttest\ts3://b/aaaa.h5\ncccc\ttrain\ts3://b/cccc.h5\n")
        Path("own.yaml").write_text(f"partition: {{context_s: {seconds}}}\n")
        with pytest.raises(UserError, match=rf"context_s: {said}"):
            load_config([EXAMPLES / example, Path("own.yaml")])
