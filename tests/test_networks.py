"""NDT2 and POYO+: what they read, what they keep to, and how they start from other sessions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from neds.baselines.networks.fit import fit
from neds.baselines.networks.ndt2 import Ndt2
from neds.baselines.networks.ndt2_fit import Ndt2Fit
from neds.baselines.networks.poyo_fit import PoyoFit
from neds.baselines.networks.settings import Ndt2Settings, NetworkSettings, PoyoSettings, RivalSettings
from neds.baselines.networks.spikes import spikes_of
from neds.baselines.networks.weights import load_weights
from neds.baselines.registry import baselines
from neds.baselines.stage import pretrain_baseline, run_baseline
from neds.errors import UserError
from neds.evaluation.results import read_predictions
from neds.files.aligned import AlignedSession, write_aligned
from neds.files.raw import RawSession, write_raw
from tests.aligned_sessions import WITH_STIMULUS, make_session, unusable_session
from tests.test_evaluation import files_in
from tests.test_plan import plan

SMALL = {"dim": 16, "heads": 2, "layers": 1, "epochs": 2, "validate_every": 1}
RIVALS = RivalSettings(
    ndt2=Ndt2Settings(**SMALL, mlp=16, patch_units=4, decoder_lrs=[2e-3]),
    poyo=PoyoSettings(**SMALL, head_dim=8, latents_per_step=2),
)
NETWORKS = ["ndt2", "poyo"]


def raw_of(session: AlignedSession, folder: Path) -> Path:
    """A raw file with the session's spikes at random times within their bins, and those of a unit that was not kept."""
    rng = np.random.default_rng(0)
    counts = session.values["spikes"]
    trial, bin_index, unit = np.nonzero(counts)
    times = (
        session.trials["align_time_s"].to_numpy()[trial] + session.window_start_s + (bin_index + 0.5) * session.bin_s
    )
    times = np.repeat(times, counts[trial, bin_index, unit])
    times = np.append(times + rng.uniform(-0.4, 0.4, len(times)) * session.bin_s, rng.uniform(0, 100, 50))
    units = np.append(np.repeat(unit, counts[trial, bin_index, unit]) + 1, np.zeros(50, int))
    order = np.argsort(times)
    raw = RawSession(
        eid=session.eid,
        subject="",
        lab="",
        date="",
        spike_times=times[order],
        spike_units=units[order],
        units=pd.DataFrame({"uuid": ["noise", *session.units["uuid"]]}),
        trials=pd.DataFrame(),
    )
    write_raw(folder / f"{session.eid}.h5", raw)
    return folder / f"{session.eid}.h5"


def decoded(name: str, session: AlignedSession, folder: Path, **more) -> dict[str, np.ndarray]:
    write_aligned(folder / "s.h5", session)
    run_baseline(name=name, aligned=folder / "s.h5", settings=RIVALS, **more, **vars(files_in(folder)))
    return {target: values for (_, target), values in read_predictions(folder / "predictions.h5")[1].items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_decode_every_kind_of_behaviour_and_see_none_of_the_test_trials(name, tmp_path):
    session = make_session(n_trials=40, names=WITH_STIMULUS)
    values = {key: array.copy() for key, array in session.values.items()}
    test = session.trials_of("test")
    for target in ("wheel_speed", "whisker_motion_energy", "stimulus"):
        values[target][test] += 50
    for target in ("choice", "block"):
        values[target][test] = 1 - values[target][test] % 2
    first, again = decoded(name, session, tmp_path), decoded(name, replace(session, values=values), tmp_path)
    assert set(first) == set(WITH_STIMULUS) - {"spikes"}
    for target, predictions in first.items():
        assert np.isfinite(predictions).all()
        np.testing.assert_array_equal(again[target], predictions, err_msg=target)
    assert first["wheel_speed"].shape == (len(test), 10, 1) and first["stimulus"].shape == (len(test),)
    np.testing.assert_allclose(first["block"].sum(1), 1, rtol=1e-5)


def test_unknown_values_are_not_learned_from():
    """An error where nothing is known would be NaN."""
    session = make_session(n_trials=40)
    session.values["wheel_speed"][:, -3:] = np.nan
    session.values["choice"][session.trials_of("train")[::2]] = -1
    fitted = PoyoFit([session], [], RIVALS.poyo)
    fitted.train("a test")
    assert all(torch.isfinite(parameter).all() for parameter in fitted.network.parameters())


def test_ndt2_does_not_see_the_patches_that_it_predicts():
    """Its gradient with respect to what it reads is 0 in hidden patches, and nowhere else."""
    torch.manual_seed(0)
    network = Ndt2(RIVALS.ndt2, [torch.full((6,), 0.3)], n_bins=5)
    torch.nn.init.normal_(network.rates.weight)
    network.eval()
    read = torch.randn(3, 5, 6, requires_grad=True)
    counts = torch.poisson(torch.ones(3, 5, 6))
    network.hidden_loss(read, counts, 0, torch.Generator().manual_seed(1)).backward()
    moved = (read.grad.abs().sum(0) > 0).float()
    by_patch = torch.stack([moved[:, :4].amin(1), moved[:, 4:].amin(1)], dim=1)
    torch.testing.assert_close(by_patch, torch.stack([moved[:, :4].amax(1), moved[:, 4:].amax(1)], dim=1))
    assert int((by_patch == 0).sum()) == round(RIVALS.ndt2.mask_ratio * 10)


def test_ndt2_starts_at_the_mean_rate_of_every_unit():
    means = torch.tensor([0.1, 0.5, 2.0, 1.0, 0.3, 0.7])
    network = Ndt2(RIVALS.ndt2, [means], n_bins=5).eval()
    counts = torch.poisson(means.expand(400, 5, 6))
    losses = [network.hidden_loss(counts, counts, 0, torch.Generator().manual_seed(seed)).item() for seed in range(30)]
    entropy = (means - means * means.log()).mean().item()
    assert np.mean(losses) == pytest.approx(entropy, abs=0.1)


@pytest.mark.parametrize("has_raw", [True, False])
def test_spikes_of_a_trial_are_those_that_were_counted(has_raw, tmp_path, caplog):
    session = make_session(n_trials=30)
    found = spikes_of(session, [raw_of(session, tmp_path)] if has_raw else [])
    for trial in (0, 7, 29):
        data = found.of_trial(trial)
        bins = (data.spikes.timestamps / session.bin_s).astype(int)
        counts = np.zeros((session.n_bins, session.n_units), int)
        np.add.at(counts, (bins, data.spikes.unit_index), 1)
        np.testing.assert_array_equal(counts, session.values["spikes"][trial])
    assert ("has no spike times" in caplog.text) is not has_raw


def test_raw_file_without_a_unit_is_refused(tmp_path):
    session = make_session(n_trials=30)
    path = raw_of(session, tmp_path)
    other = replace(session, units=session.units.assign(uuid=[f"other-{n}" for n in range(session.n_units)]))
    with pytest.raises(UserError, match=r"mouse1\.h5: lacks units of session mouse1; make its aligned file again"):
        spikes_of(other, [path])


@pytest.mark.parametrize("name", NETWORKS)
def test_fits_start_from_what_sessions_share(name, tmp_path):
    """Two sessions of other units are pretrained on; a third takes over all but what is its own."""
    others = []
    for number, n_units in ((2, 5), (3, 9)):
        others.append(tmp_path / f"mouse{number}.h5")
        write_aligned(others[-1], make_session(f"mouse{number}", n_trials=30, n_units=n_units))
    write_aligned(tmp_path / "mouse9.h5", unusable_session("mouse9", "no wheel"))
    others.append(tmp_path / "mouse9.h5")
    weights = tmp_path / "weights.safetensors"
    pretrain_baseline(name=f"{name}-multi", aligned=others, output=weights, settings=RIVALS)
    session = make_session(n_trials=40)
    fitted = Ndt2Fit([session], RIVALS.ndt2) if name == "ndt2" else PoyoFit([session], [], RIVALS.poyo)
    own = type(fitted.network).OWN
    before = {key: value.clone() for key, value in fitted.network.named_parameters()}
    assert load_weights(weights, fitted.network, fitted.description, own=own)
    same = {key for key, value in fitted.network.named_parameters() if torch.equal(value, before[key])}
    assert {key for key in before if key.startswith(own)} <= same
    assert any(key not in same for key in before)
    from_scratch = decoded(name, session, tmp_path)
    tuned = decoded(f"{name}-multi", session, tmp_path, pretrained=weights, others=others)
    assert any(not np.array_equal(tuned[target], from_scratch[target]) for target in tuned)

    wider = RivalSettings(ndt2=Ndt2Settings(**SMALL | {"dim": 32}), poyo=PoyoSettings(**SMALL | {"dim": 32}))
    with pytest.raises(UserError, match=r"weights\.safetensors: was pretrained with other settings"):
        run_baseline(
            name=f"{name}-multi",
            aligned=tmp_path / "s.h5",
            pretrained=weights,
            settings=wider,
            **vars(files_in(tmp_path)),
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_usable_session_to_pretrain_on_nothing_is_predicted(name, tmp_path, caplog):
    write_aligned(tmp_path / "mouse9.h5", unusable_session("mouse9", "no wheel"))
    weights = tmp_path / "weights.safetensors"
    pretrain_baseline(name=f"{name}-multi", aligned=[tmp_path / "mouse9.h5"], output=weights, settings=RIVALS)
    assert decoded(f"{name}-multi", make_session(n_trials=40), tmp_path, pretrained=weights) == {}
    assert "no session of role train could be used" in caplog.text


def test_the_weights_of_the_best_validation_are_the_model():
    network, scores = torch.nn.Linear(1, 1), iter([0.1, 0.9, float("nan"), 0.5])
    seen = []

    def validation() -> float:
        seen.append(network.weight.item())
        return next(scores)

    best = fit(
        network,
        NetworkSettings(epochs=4, validate_every=1, lr=0.1),
        batches=lambda rng: [torch.ones(2, 1)],
        loss=lambda batch: network(batch).pow(2).mean(),
        validation=validation,
        what="a line",
    )
    assert best == 0.9 and network.weight.item() == seen[1] and len(set(seen)) == 4 and not network.training


def test_plan_pretrains_once_and_gives_spike_times_to_what_reads_them():
    found = plan(baselines=["ndt2", "ndt2-multi", "poyo", "poyo-multi"], rivals={"ndt2": {"dim": 32}})
    eid = found.test[0]
    fits = {name: found.step("network_baseline", {"eid": eid, "baseline": name}) for name in found.models.baselines}
    assert set(fits["ndt2"].inputs) == {"aligned"} and set(fits["poyo"].inputs) == {"aligned", "raw"}
    pretraining = found.step("pretrain_baseline", {"baseline": "poyo-multi"})
    assert fits["poyo-multi"].inputs["pretrained"] == tuple(pretraining.outputs.values())
    assert len(pretraining.inputs["raw"]) == len(pretraining.inputs["aligned"]) == len(found.train)
    assert fits["ndt2"].values["settings"]["ndt2"]["dim"] == 32 and set(fits["poyo"].values["settings"]) == {"poyo"}


def test_networks_stand_in_the_figure_of_multi_session_models_and_beside_the_papers_numbers():
    found = plan(baselines=["rrr-multi", "ndt2-multi", "poyo-multi"], figures={"paper_numbers": True})
    others = [pair[1] for row in found.models.multi_session_rows() for pair in row]
    assert others == ["rrr-multi", "ndt2-multi", "poyo-multi"]
    benchmark = found.step("table", {"table": "benchmark"}).values["settings"]
    assert {"ndt2-multi", "poyo-multi"} <= set(benchmark["models"])
    assert {"ndt2-multi", "poyo-multi"} <= {score["label"] for score in benchmark["paper"]["scores"]}
    assert baselines()["poyo-multi"].title == "POYO+ multi-session"
