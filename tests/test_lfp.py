"""LFP: band power around the trials, from recordings as SpikeGLX leaves them."""

import numpy as np
import pytest
import spikeglx

from neds.config import Config
from neds.download.band_power import band_power, window_centres
from neds.download.settings import BANDS_HZ, LfpSettings
from neds.errors import UserError
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import load_local, load_remote, log_in, use_scratch_home
from tests.lfp_recordings import NAME, RATE_HZ, write_lfp
from tests.loopback_alyx import serving

BANDS = list(BANDS_HZ)
AMPLITUDE_UV = 200.0
POWER_DB = 10 * np.log10(AMPLITUDE_UV**2 / 2)
AROUND = {"step_s": 0.1, "event": "stimOn_times", "start_s": -0.5, "end_s": 1.5}
PROBES = f"{SESSION_PATH}/raw_ephys_data"


def noise(duration_s: float, n_channels: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 5, (round(duration_s * RATE_HZ), n_channels))


def sinusoid(n_samples: int, frequency_hz: float) -> np.ndarray:
    return AMPLITUDE_UV * np.sin(2 * np.pi * frequency_hz * np.arange(n_samples) / RATE_HZ)[:, None]


def power_of(path, centres_s, *, sample_at=lambda t: t * RATE_HZ, channels_per_group=8):
    with spikeglx.Reader(path) as reader:
        times, values = band_power(
            reader,
            centres_s,
            sample_at=sample_at,
            window_s=0.3,
            bands_hz=BANDS_HZ,
            channels_per_group=channels_per_group,
        )
    return times, values.reshape(len(times), -1, len(BANDS))


@pytest.mark.parametrize("compressed", [True, False])
def test_a_sinusoid_has_its_power_in_its_band_and_in_no_other(tmp_path, compressed):
    """Each band's sinusoid in a group of its own; the median over channels that destriping takes away sees none of them."""
    signal = noise(9, 96)
    for group, frequency_hz in enumerate((10 / 3, 20 / 3, 10.0, 20.0, 60.0)):
        signal[:, 8 * group : 8 * group + 8] += sinusoid(len(signal), frequency_hz)
    _, power = power_of(write_lfp(tmp_path, signal, compressed=compressed), np.arange(2.5, 6.5, 0.1))
    assert power.shape == (40, 12, 6)
    for group in range(5):
        own = power[:, group]
        np.testing.assert_allclose(own[:, [group, 5]], POWER_DB, atol=0.3)
        assert np.delete(own, [group, 5], axis=1).max() < POWER_DB - 15
    assert power[:, 6:].max() < POWER_DB - 15


def test_power_of_groups_is_the_mean_of_their_channels(tmp_path):
    signal = noise(3, 16)
    signal[:, :4] += sinusoid(len(signal), 20.0)
    path = write_lfp(tmp_path, signal)
    _, single = power_of(path, np.array([1.0, 1.5]), channels_per_group=1)
    _, grouped = power_of(path, np.array([1.0, 1.5]), channels_per_group=5)
    sizes = [5, 5, 5, 1]
    expected = [part.mean(1) for part in np.split(10 ** (single / 10), np.cumsum(sizes)[:-1], axis=1)]
    np.testing.assert_allclose(grouped, 10 * np.log10(np.stack(expected, axis=1)), atol=1e-3)


def test_windows_are_placed_by_the_clock_of_the_session(tmp_path):
    signal = noise(20, 16)
    signal[round(10 * RATE_HZ) :, :4] += sinusoid(round(10 * RATE_HZ), 20.0)
    write_lfp(tmp_path / PROBES / "probe00", signal, start_s=3.0, drift=0.01)
    write_session(tmp_path, probes=("probe00",))
    settings = LfpSettings(**AROUND, channels_per_group=16)
    trace = load_local(tmp_path, tmp_path, extras=["lfp"], lfp=settings.model_dump()).traces["lfp"]
    beta = trace.values[:, BANDS.index("beta")]
    starts_s = 3 + 1.01 * 10
    assert beta[trace.times < starts_s - 0.2].max() + 10 < beta[trace.times > starts_s + 0.2].min()
    assert trace.times[0] >= 3.15 and trace.times[-1] <= 3 + 20.2 - 0.15


def test_only_pieces_around_the_trials_are_ever_read(tmp_path, monkeypatch):
    path = write_lfp(tmp_path, noise(60, 16))
    centres_s = window_centres(np.array([[5.0, 7.0], [6.0, 8.0], [20.0, 22.0], [30.0, 40.0]]), 0.02)
    read = []
    whole = spikeglx.Reader.read
    monkeypatch.setattr(
        spikeglx.Reader, "read", lambda self, nsel, *a, **k: read.append(nsel) or whole(self, nsel, *a, **k)
    )
    times, _ = power_of(path, centres_s)
    np.testing.assert_array_equal(times, centres_s)
    assert len(times) == 151 + 101 + 501
    lengths_s = np.array([piece.stop - piece.start for piece in read]) / RATE_HZ
    assert len(read) == 5 and lengths_s.max() < 4 + 0.3 + 2 * 1.5 + 0.05
    assert lengths_s.sum() < 3 + 2 + 10 + 5 * 3.35


def test_lfp_of_all_probes_side_by_side_and_reasons_for_what_is_missing(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    root = tmp_path / "alf"
    write_session(root)
    lfp = LfpSettings(**AROUND).model_dump()
    raw = load_local(root, tmp_path, extras=["lfp"], lfp=lfp)
    why = "the session has no LFP recording (raw_ephys_data/probe0{}/*.lf.cbin or .lf.bin)"
    assert raw.provenance["problems"] == {f"lfp of probe0{i}": why.format(i) for i in (0, 1)}
    assert "lfp" not in raw.traces

    for index, name in enumerate(("probe00", "probe01")):
        write_lfp(root / PROBES / name, noise(20, 16, seed=index))
    raw = load_local(root, tmp_path, extras=["lfp"], lfp=lfp)
    assert raw.traces["lfp"].values.shape == (len(raw.traces["lfp"].times), 2 * 2 * 6)
    assert any(entry["name"].endswith(".lf.cbin") for entry in raw.provenance["datasets"])

    ch_file = next((root / PROBES / "probe00").glob("*.ch"))
    ch_file.unlink()
    next((root / PROBES / "probe01").glob("*.lf.cbin")).write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"imec0\.lf\.cbin: damaged"):
        load_local(root, tmp_path, extras=["lfp"], lfp=lfp)
    raw = load_local(root, tmp_path, probes=["probe00"], extras=["lfp"], lfp=lfp)
    assert raw.provenance["problems"]["lfp of probe00"] == (
        "raw_ephys_data/probe00/ has 0 files *.lf.ch beside its LFP recording, not one"
    )


def test_what_is_loaded_follows_the_modalities_and_the_partition():
    config = Config.model_validate({"modalities": ["spikes", "lfp", "licks"], "partition": {"bin_s": 0.1}})
    settings = config.download_settings()
    assert settings.extras == ["lfp", "licks"]
    assert settings.lfp == LfpSettings(**AROUND)


def test_what_nothing_is_loaded_for_makes_no_download_stale():
    plain = Config.model_validate({}).download_settings()
    unread = {"download": {"lfp": {"window_s": 0.5}, "pose_tracker": "lightningPose"}, "partition": {"bin_s": 0.1}}
    assert Config.model_validate(unread).download_settings() == plain
    used = Config.model_validate(unread | {"modalities": ["spikes", "lfp", "left_paw_speed"]}).download_settings()
    assert (used.lfp.window_s, used.pose_tracker) == (0.5, "lightningPose")


def test_a_band_needs_a_frequency_of_the_spectrum():
    with pytest.raises(ValueError, match=r"band high_alpha: a window of .* s has no frequency in it"):
        LfpSettings(bands_hz={"high_alpha": [10.5, 12.0]})
    with pytest.raises(ValueError, match="40 to 30 Hz is no band"):
        LfpSettings(bands_hz={"gamma": [40.0, 30.0]})


def test_no_trial_within_the_recording_leaves_the_probe_out(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    root = tmp_path / "alf"
    write_session(root, probes=("probe00",))
    write_lfp(root / PROBES / "probe00", noise(5, 16), start_s=500.0)
    raw = load_local(root, tmp_path, extras=["lfp"], lfp=LfpSettings(**AROUND).model_dump())
    assert raw.provenance["problems"] == {"lfp of probe00": "the LFP recording covers no trial"}


def test_extras_come_from_a_database_as_from_a_folder(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    log_in(monkeypatch)
    root = tmp_path / "alf"
    write_session(root, probes=("probe00",))
    write_lfp(root / PROBES / "probe00", noise(10, 8))
    wanted = {"extras": ["pupil", "paws", "licks", "lfp"], "lfp": LfpSettings(**AROUND).model_dump()}
    with serving(root) as server:
        remote = load_remote(server, tmp_path, **wanted)
        served = {path.rsplit("/", 1)[1] for path in server.served}
        parts = {path.rsplit("/", 1)[1] for path, *_ in server.parts}
    assert {f"{NAME}.lf.ch", f"{NAME}.lf.meta", f"{NAME}.timestamps.npy"} <= served
    assert parts == {f"{NAME}.lf.cbin"} and not served & parts
    local = load_local(root, tmp_path, **wanted)
    assert remote.provenance["problems"] == {}
    for name in ("pupil_diameter", "left_paw_speed", "right_paw_speed", "licks", "lfp"):
        np.testing.assert_array_equal(remote.traces[name].times, local.traces[name].times)
        np.testing.assert_array_equal(remote.traces[name].values, local.traces[name].values)
