"""`import neds` in Python: what a colleague writes in a notebook."""

import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import neds
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.evaluation.predict import predict
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession, write_aligned
from tests.aligned_sessions import make_session, unusable_session
from tests.test_training import settings, train_to

README = (Path(__file__).parents[1] / "README.md").read_text()
SESSIONS = (make_session("mouse1"), make_session("mouse2", n_units=5))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Checkpoint of a model of two sessions, beside their files."""
    folder = tmp_path_factory.mktemp("trained")
    return train_to(folder, settings(epochs=8, validate_every=2), *SESSIONS) / "best.safetensors"


def shapes(values: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in values.items()}


def in_unit(session: AlignedSession, name: str, unit: str) -> AlignedSession:
    modality = session.modalities[name].model_copy(update={"unit": unit})
    return replace(session, modalities=session.modalities | {name: modality})


def doubled(session: AlignedSession, name: str) -> AlignedSession:
    """The session with every column of a modality twice."""
    modality = session.modalities[name].model_copy(update={"width": 2})
    values = session.values | {name: session.values[name].repeat(2, axis=2)}
    statistics = session.statistics | {name: {k: v.repeat(2) for k, v in session.statistics[name].items()}}
    return replace(session, modalities=session.modalities | {name: modality}, values=values, statistics=statistics)


def chosen(session: AlignedSession, trials: np.ndarray) -> AlignedSession:
    """A file of some trials of a session, in which they are standardised by themselves."""
    values = {name: array[trials] for name, array in session.values.items()}
    statistics = {name: {key: value * 1.5 for key, value in own.items()} for name, own in session.statistics.items()}
    return replace(
        session,
        values=values,
        statistics=statistics,
        trials=session.trials.iloc[trials],
        split=session.split[trials],
        n_trials_before=len(trials),
    )


def test_import_is_light_and_names_are_few():
    code = "import sys, neds; assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys(); print(*dir(neds))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Model", "__version__", "load_model", "load_session", "plot"]
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        neds.load_modle  # noqa: B018


def test_model_of_several_sessions_encodes_and_decodes_each(trained):
    model = neds.load_model(trained)
    assert model.eids == ["mouse1", "mouse2"]
    for own in SESSIONS:
        session = neds.load_session(trained.with_name(f"{own.eid}.h5"))
        n_trials, n_bins, n_units = session.values["spikes"].shape
        assert shapes(model.encode(session)) == {"spikes": (n_trials, n_bins, n_units)}
        decoded = {"wheel_speed": (n_trials, n_bins, 1), "whisker_motion_energy": (n_trials, n_bins, 1)}
        assert shapes(model.decode(session)) == decoded | {"choice": (n_trials, 2), "block": (n_trials, 3)}
        assert len(model.encode(session, trials="test")["spikes"]) == len(session.trials_of("test"))


def test_a_session_is_predicted_as_among_all_that_the_model_knows(trained):
    """One session at a time, with its own maps, is as good as all of them in one store."""
    model = neds.load_model(trained)
    store = TrialStore(list(SESSIONS), names=list(model.modalities), device=torch.device("cpu"))
    mode = model.network.design.mode
    for task in tasks_of(model.modalities, inputs=mode.inputs, outputs=mode.outputs):
        for index, session in enumerate(SESSIONS):
            wanted = predict(model.network, store, index, "test", task)
            found = (model.encode if task.name == "encoding" else model.decode)(session, trials="test")
            assert found.keys() == wanted.keys()
            assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_what_is_given_decides_and_what_is_not_is_hidden(trained):
    model, session = neds.load_model(trained), SESSIONS[0]
    alone = model.encode(session, given=["wheel_speed"])["spikes"]
    values = session.values | {"whisker_motion_energy": session.values["whisker_motion_energy"] + 10}
    other = replace(session, values=values)
    assert np.array_equal(alone, model.encode(other, given=["wheel_speed"])["spikes"])
    assert not np.allclose(model.encode(session)["spikes"], model.encode(other)["spikes"])
    with pytest.raises(UserError, match="given: wheel: this model's encoding reads wheel_speed"):
        model.encode(session, given=["wheel"])


def test_further_trials_are_standardised_as_in_training(trained):
    """A trial is predicted the same whatever file it lies in."""
    model, session = neds.load_model(trained), SESSIONS[1]
    rows = np.arange(5, 15)
    further = chosen(session, rows)
    np.testing.assert_allclose(model.encode(further)["spikes"], model.encode(session)["spikes"][rows], rtol=1e-5)
    np.testing.assert_allclose(
        model.decode(further)["wheel_speed"], model.decode(session)["wheel_speed"][rows], rtol=1e-4
    )


@pytest.mark.parametrize(
    ("session", "complaint"),
    [
        (make_session("mouse3"), r"session mouse3 is new to .*; fine-tune it first: model.finetune\(session\)"),
        (make_session("mouse1", n_units=6), "it has 6 units, the model was trained on 7"),
        (replace(SESSIONS[0], units=SESSIONS[0].units[::-1].reset_index(drop=True)), "6 of its 7 units are not those"),
        (replace(SESSIONS[0], bin_s=0.1), "trained on 10 bins of 0.05 s from -0.2 s, session mouse1 has 10 of 0.1 s"),
        (make_session("mouse1", names=("spikes", "wheel_speed")), "has no whisker_motion_energy"),
        (unusable_session("mouse1", "no trials"), "cannot be used: no trials"),
        (in_unit(SESSIONS[0], "wheel_speed", "deg/s"), r"wheel_speed is in deg/s, .* was trained with rad/s; convert"),
        (doubled(SESSIONS[0], "wheel_speed"), "wheel_speed has 2 values per bin, .* was trained with 1; fine-tune it"),
    ],
)
def test_a_session_that_does_not_fit_is_refused_with_what_to_do(session, complaint, trained):
    with pytest.raises(UserError, match=complaint):
        neds.load_model(trained).decode(session)


def test_embeddings_are_a_row_per_unit(trained):
    table = neds.load_model(trained).embeddings()
    assert list(table["uuid"]) == [f"{s.eid}-{n}" for s in SESSIONS for n in range(s.n_units)]
    width = neds.load_model(trained).network.design.settings.dim
    assert [c for c in table if c.startswith("input_")] == [f"input_{i}" for i in range(width)]
    assert np.isfinite(table.filter(regex="^(input|readout)_").to_numpy()).all()


def test_a_session_of_more_values_per_bin_is_fine_tuned(trained):
    session = doubled(make_session("mouse3"), "wheel_speed")
    tuned = neds.load_model(trained).finetune(session, settings={"training.epochs": 1, "training.validate_every": 1})
    assert tuned.decode(session)["wheel_speed"].shape == (60, 10, 2)


def test_a_warning_of_fine_tuning_names_the_model_as_the_user_does(trained, caplog):
    with suppress(UserError):
        neds.load_model(trained).finetune(SESSIONS[0], settings={"training.epochs": 1, "training.validate_every": 1})
    (warning,) = [record.getMessage() for record in caplog.records if "was trained on" in record.getMessage()]
    assert f"among those that {trained} was trained on" in warning


def test_fine_tuning_gives_another_model_which_can_be_saved(trained, tmp_path):
    model, session = neds.load_model(trained), make_session("mouse3", n_units=4)
    before = model.encode(SESSIONS[0])["spikes"]
    tuned = model.finetune(session, settings={"training.epochs": 2, "training.validate_every": 1})
    assert tuned.eids == ["mouse3"] and np.array_equal(model.encode(SESSIONS[0])["spikes"], before)
    assert tuned.checkpoint.record["pretrained"] == str(trained)
    tuned.save(tmp_path / "mine.safetensors")
    again = neds.load_model(tmp_path / "mine.safetensors")
    assert np.array_equal(again.encode(session)["spikes"], tuned.encode(session)["spikes"])
    with pytest.raises(UserError, match=r"settings: training.epoch: no key .* did you mean training.epochs"):
        model.finetune(session, settings={"training.epoch": 2})
    with pytest.raises(UserError, match=r"settings: model.dim: is of the pretrained model's shape"):
        model.finetune(session, settings={"model.dim": 32})


def test_plots_draw_the_truth_beside_the_predictions(trained):
    model, session = neds.load_model(trained), SESSIONS[0]
    axes = Figure().subplots(3)
    drawn = neds.plot.traces(
        axes[0], session, "wheel_speed", trials=[3, 4], predicted={"model": model.decode(session)["wheel_speed"]}
    )
    assert set(drawn["series"]) == {"truth", "model"} and set(drawn["trial"]) == {"3", "4"}
    rates = model.encode(session)["spikes"]
    drawn = neds.plot.psth(axes[1], session, 2, by="choice", predicted={"model": rates})
    truth = session.values["spikes"][session.values["choice"] == 0][..., 2].mean(0) / session.bin_s
    right = drawn[(drawn["series"] == "truth") & (drawn["group"] == "choice right")]
    np.testing.assert_allclose(right["rate_hz"], truth, rtol=1e-6)
    neds.plot.raster(axes[2], session, rates, 2)
    assert axes[2].images[0].get_array().shape == rates.shape[:2]
    with pytest.raises(UserError, match="choice: is categorical"):
        neds.plot.traces(axes[0], session, "choice")


def test_every_line_of_the_readme_works(trained, tmp_path, monkeypatch):
    """In a folder that looks as after a run, with a session that is called <eid>."""
    session = make_session("<eid>")
    model = tmp_path / "results/models/<eid>/mm-finetuned-all/seed0"
    model.mkdir(parents=True)
    train_to(model, settings(epochs=1, validate_every=1), session)
    (tmp_path / "results/aligned").mkdir()
    write_aligned(tmp_path / "results/aligned/<eid>.h5", session)
    pretrained = tmp_path / "results/models/pretrained-all/mm/seed0"
    pretrained.mkdir(parents=True)
    (pretrained / "best.safetensors").write_bytes(trained.read_bytes())
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(import neds\n.*?)```", README, re.DOTALL)
    made: dict = {}
    exec(block, made)
    assert made["rates"].shape == session.values["spikes"].shape
    assert made["tuned"].eids == ["<eid>"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, session: model.decode(session, given=[]), "given: is empty: this model's decoding reads spikes"),
        (
            lambda model, session: model.decode(session, given="spikes"),
            r"given: name modalities in a list",
        ),
        (lambda model, session: model.encode(session, trials="foo"), "trials: must be one of all, train, val, test"),
        (
            lambda model, session: model.encode("mouse1.h5"),
            "session: must be what neds.load_session returns, not 'mouse1.h5'",
        ),
        (lambda model, session: model.finetune("mouse1.h5"), "session: must be what neds.load_session returns"),
        (lambda model, session: model.finetune(session, seed=-1), "seed: must be a whole number, 0 or more, not -1"),
        (lambda model, session: model.finetune(session, seed=1.5), "seed: must be a whole number, 0 or more, not 1.5"),
        (lambda model, session: neds.load_model("https://huggingface.co/a/b"), "is an address; neds import"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_a_line(call, message, trained):
    with pytest.raises(UserError, match=message) as refused:
        call(neds.load_model(trained), SESSIONS[0])
    assert "\n" not in str(refused.value)


def test_units_without_uuid_are_told_apart_by_the_rest_of_their_table(tmp_path, caplog):
    """Or are taken in their order, with a warning."""
    known, unknown = (
        replace(make_session(eid), units=make_session(eid).units.assign(uuid="", channel=channels))
        for eid, channels in (("mouse1", range(7)), ("mouse2", -1))
    )
    model = neds.load_model(train_to(tmp_path, settings(epochs=1), known, unknown) / "best.safetensors")
    order = [1, 0, *range(2, 7)]

    def reordered(session: AlignedSession) -> AlignedSession:
        values = session.values | {"spikes": session.values["spikes"][..., order]}
        return replace(session, values=values, units=session.units.iloc[order].reset_index(drop=True))

    model.decode(known)
    with pytest.raises(UserError, match="2 of its 7 units are not those that the model was trained on"):
        model.decode(reordered(known))
    assert not caplog.records
    model.decode(reordered(unknown))
    assert "nothing tells apart" in caplog.text
