"""Counts that stay in their files train the same network as counts in memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from neds.data.counts import DeviceCounts, HostCounts, bytes_on_device, chosen_trials
from neds.data.reading import read_sessions
from neds.files.aligned import counts_bytes, read_aligned, write_aligned
from neds.files.stored import StoredCounts
from neds.model.known import session_digest
from neds.training.settings import MemorySettings
from tests.aligned_sessions import make_session, unusable_session
from tests.test_training import assert_same_run, settings, train_to

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path) -> list:
    sessions = make_session(), make_session("mouse2", n_units=4), unusable_session("mouse3", "no whisker")
    paths = [tmp_path / f"{session.eid}.h5" for session in sessions]
    for path, session in zip(paths, sessions, strict=True):
        write_aligned(path, session)
    return paths


def test_batches_are_those_of_counts_in_memory(files):
    stored, held = (
        [read_aligned(path, counts_in_memory=m).values["spikes"] for path in files[:2]] for m in (False, True)
    )
    assert all(isinstance(counts, StoredCounts) for counts in stored)
    for wide in (held, [held[0], held[1].astype(np.uint16)]):
        assert bytes_on_device(wide) == DeviceCounts(wide, CPU)._flat.nbytes, "what the room on a GPU is compared with"
    assert bytes_on_device(stored) == bytes_on_device(held)
    asked = chosen_trials(np.array([0, 0, 1, 1]), np.array([9, 2, 5, 5]), CPU)
    for kind in (HostCounts, DeviceCounts):
        assert torch.equal(kind(stored, CPU).take(asked), kind(held, CPU).take(asked))
    mask = np.arange(60) % 7 == 0
    np.testing.assert_array_equal(stored[0][mask], held[0][mask])


@pytest.mark.parametrize(("share", "n_processes", "stays"), [(0.5, 1, False), (0.5, 8, True), (0.05, 1, True)])
def test_counts_stay_in_files_that_would_take_more_than_their_share(
    share, n_processes, stays, files, monkeypatch, caplog
):
    """In the memory of all processes on a computer together."""
    caplog.set_level("INFO")
    n_bytes = sum(map(counts_bytes, files))
    assert n_bytes == 60 * 10 * (7 + 4)
    monkeypatch.setattr("neds.data.reading.available_bytes", lambda: 10 * n_bytes)
    sessions = read_sessions(files, memory_share=share, n_processes=n_processes, description="pretraining")
    assert [session.usable for session in sessions] == [True, True, False]
    assert all(isinstance(s.values["spikes"], StoredCounts) == stays for s in sessions[:2])
    assert ("pretraining: counts are read from their files as needed" in caplog.text) == stays


def test_training_gives_the_same_weights(tmp_path):
    """Also with the statistics of fewer training trials, and with scores of validation trials."""
    sessions = make_session(), make_session("mouse2", n_units=4)
    values = settings(epochs=2) | {"train_trials": 20}
    held, stored = (
        train_to(tmp_path / str(share), values, *sessions, memory=MemorySettings(memory_share=share))
        for share in (1.0, 1e-12)
    )
    assert_same_run(held, stored)


def test_trial_is_one_chunk_of_its_file(files):
    session = read_aligned(files[0], counts_in_memory=False)
    assert session.values["spikes"]._dataset.chunks == (1, 10, 7)
    assert session.n_bins == 10 and replace(session).n_units == 7


def test_a_session_has_the_same_digest_wherever_its_counts_are(files):
    """A model knows by it the sessions that it was trained on."""
    stored, again, held = (read_aligned(files[0], counts_in_memory=m) for m in (False, False, True))
    assert session_digest(stored) == session_digest(again) == session_digest(held)
    counts = held.values["spikes"].copy()
    counts[-1, -1, -1] += 1
    assert session_digest(replace(held, values=held.values | {"spikes": counts})) != session_digest(stored)
    with pytest.raises(TypeError, match="index the trials that are needed"):
        np.asarray(stored.values["spikes"])
