"""`neds predict`: a trained model on aligned data, to a file."""

import h5py
import numpy as np
import pandas as pd
import pytest

import neds
from neds.commands.cli import program
from neds.commands.table import command_named
from neds.errors import UserError
from neds.files import hdf5
from neds.files.aligned import write_aligned
from neds.provenance import read_stamp
from neds.sharing.export import export_model
from tests.aligned_sessions import make_session
from tests.test_training import settings, train_to

SESSIONS = (make_session("mouse1"), make_session("mouse2", n_units=5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two sessions as a checkpoint and as a folder, beside the sessions' files."""
    made = train_to(tmp_path_factory.mktemp("trained"), settings(epochs=1, validate_every=1), *SESSIONS)
    export_model(checkpoint=made / "best.safetensors", output=made / "two-mice", licence="mit")
    return made


def predict(**options) -> None:
    """The command as a shell gives it."""
    command = command_named("predict")
    words = [f"--{name}={value}" for name, value in options.items()]
    function, bound, _ = program(command).parse_args(["predict", *words], print_error=False, exit_on_error=False)
    function(*bound.args, **bound.kwargs)


@pytest.mark.parametrize("model", ["best.safetensors", "two-mice"])
def test_predictions_are_those_of_the_model_and_say_what_made_them(model, folder, tmp_path):
    output = tmp_path / "rates.h5"
    predict(model=folder / model, aligned=folder / "mouse2.h5", task="encode", output=output, trials="test")
    session = SESSIONS[1]
    wanted = neds.load_model(folder / model).encode(session, trials="test")["spikes"]
    with h5py.File(output) as handle:
        np.testing.assert_array_equal(handle["predicted/spikes"][:], wanted)
        assert handle.attrs["eid"] == "mouse2" and handle["predicted/spikes"].attrs["unit"] == "spikes per bin"
        trials = hdf5.read_table(handle["trials"])
    assert list(trials["trial"]) == list(session.trials_of("test")) and set(trials["split"]) == {"test"}
    stamp = read_stamp(output)
    assert stamp.command == "predict" and [len(stamp.inputs[name]) for name in ("model", "aligned")] == [1, 1]


def test_a_table_has_a_row_per_trial(folder, tmp_path):
    predict(model=folder / "two-mice", aligned=folder / "mouse1.h5", task="decode", output=tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    wanted = neds.load_model(folder / "two-mice").decode(SESSIONS[0])
    assert len(table) == SESSIONS[0].n_trials
    for name in ("wheel_speed", "choice"):
        cells = np.array([np.vstack(cell) if name == "wheel_speed" else cell for cell in table[name]])
        np.testing.assert_allclose(cells, wanted[name], rtol=1e-6)


@pytest.mark.parametrize("name", ["units.parquet", "units.h5"])
def test_embeddings_need_no_session(name, folder, tmp_path, caplog):
    caplog.set_level("INFO")
    predict(model=folder / "two-mice", task="embed", output=tmp_path / name)
    wanted = neds.load_model(folder / "two-mice").embeddings()
    assert f"embeddings of {len(wanted)} units" in caplog.text
    if name.endswith("parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name), wanted, check_dtype=False)
    else:
        with h5py.File(tmp_path / name) as handle:
            assert list(hdf5.read_table(handle["units"])["uuid"]) == list(wanted["uuid"])


def test_what_cannot_be_predicted_is_refused_with_what_to_do(folder, tmp_path):
    write_aligned(tmp_path / "mouse3.h5", make_session("mouse3"))
    known = {"model": folder / "two-mice", "output": tmp_path / "out.h5"}
    with pytest.raises(UserError, match=r"session mouse3 is new to .*; fine-tune it first"):
        predict(**known, task="decode", aligned=tmp_path / "mouse3.h5")
    with pytest.raises(UserError, match="--aligned: name the session to decode"):
        predict(**known, task="decode")
    with pytest.raises(UserError, match=r"--output: .*out.csv: end it on .h5 or .parquet"):
        predict(**known | {"output": tmp_path / "out.csv"}, task="embed")
    assert not (tmp_path / "out.h5").exists()
