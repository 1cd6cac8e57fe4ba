"""Fine-tuning from somebody else's model: one key of the configuration, which takes the place of pretraining."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neds.commands.check_files import look_into_files
from neds.config import check_config
from neds.errors import UserError
from neds.evaluation.tables import metrics_table
from neds.figures.names import model_title
from neds.plan.drawings import left_out_messages
from neds.plan.plan import Plan
from neds.plan.training import known_test_sessions
from neds.sharing.export import export_model
from neds.sharing.imported import import_model
from tests.aligned_sessions import make_session
from tests.test_arrays import example, save
from tests.test_training import settings, train_to
from tests.workflow_runs import TINY, planned, snakemake

CUT = {"bin_s": 0.05, "window_start_s": -0.2, "window_end_s": 0.3}


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A model of two sessions, one of which the synthetic source has for testing."""
    folder = tmp_path_factory.mktemp("shared")
    test_eid = Plan(*check_config({}, base=folder)).test[0]
    sessions = (make_session("mouse1"), make_session(test_eid, n_units=5))
    checkpoint = train_to(folder, settings(epochs=1, validate_every=1), *sessions) / "best.safetensors"
    export_model(checkpoint=checkpoint, output=folder / "two-mice", licence="mit")
    return folder / "two-mice"


def plan(shared: Path, **values) -> Plan:
    return Plan(*check_config({"pretrained": str(shared), "partition": CUT, **values}, base=shared.parent))


def test_nothing_is_pretrained_and_every_fine_tuning_starts_from_the_shared_model(shared):
    found = plan(shared, seeds=[0, 1], train_trials=[30, "all"], tune={"stages": ["finetuned"]})
    assert not {"pretrain", "tune_pretrain", "unit_embeddings_of_pretrained"} & {step.rule for step in found.steps}
    tuned = [step for step in found.steps if step.rule in ("finetune", "tune_finetune")]
    assert len(tuned) == 2 * 2 * 2 + 2
    assert {step.inputs["pretrained"] for step in tuned} == {(str(shared / "model.safetensors"),)}
    left_out = "\n".join(left_out_messages(found))
    assert "learning/{mode}-pretraining" in left_out and "leave `pretrained` out" in left_out


def test_tables_and_figures_name_the_shared_model(shared):
    (label,) = {run.label for run in plan(shared).models.of_sessions() if run.regime == "finetuned"}
    assert label == "neds-mm-finetuned-two-mice"
    assert model_title(label) == "NEDS multi-session (two-mice)"


def test_the_size_is_the_shared_models_whatever_the_configuration_says(shared):
    """So that a change of it trains the models from scratch again, and no other."""
    steps = {dim: plan(shared, model={"dim": dim}).steps for dim in (64, 128)}
    sizes = {
        (step.rule, dim): step.values["settings"]["model"]["dim"]
        for dim, own in steps.items()
        for step in own
        if step.rule in ("finetune", "train_from_scratch")
    }
    assert sizes == {
        ("finetune", 64): 16,
        ("finetune", 128): 16,
        ("train_from_scratch", 64): 64,
        ("train_from_scratch", 128): 128,
    }


def test_test_sessions_that_the_model_knows_are_told(shared):
    found = plan(shared)
    (line,) = known_test_sessions(found)
    assert f"was trained on 1 test session ({found.test[0]})" in line


def test_test_sessions_of_the_model_that_it_was_fine_tuned_from_are_told_too(shared, tmp_path):
    """Also after it was taken over, and on its card."""
    values = settings(epochs=1, validate_every=1)
    chain = train_to(tmp_path, values, make_session("mouse3"), pretrained=shared / "model.safetensors")
    export_model(checkpoint=chain / "best.safetensors", output=tmp_path / "given", licence="mit")
    import_model(source=str(tmp_path / "given"), output=tmp_path / "chain")
    found = plan(tmp_path / "chain")
    (line,) = known_test_sessions(found)
    assert f"was trained on 1 test session ({found.test[0]})" in line
    card = (tmp_path / "chain/README.md").read_text()
    assert f"fine-tuned from one that was trained on 2 sessions: {found.test[0]}, mouse1" in card


def test_sessions_to_pretrain_on_are_not_needed(shared, tmp_path):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("eid\trole\tpath\nmouse9\ttest\tmouse9.npz\n")
    found = plan(shared, source="aligned", sessions=str(sheet))
    assert not found.train and found.has("finetune")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"regimes": ["scratch"]}, "nothing is fine-tuned; add finetuned to regimes"),
        ({"modes": ["mm", "decoding"]}, "is a model of mode mm, modes are mm, decoding"),
        ({"modalities": ["spikes", "wheel_speed", "choice", "block"]}, "must be the same in the same order"),
        ({"partition": CUT | {"bin_s": 0.1}}, "trained on 10 bins of 0.05 s from -0.2 s, partition cuts 5 of 0.1 s"),
        ({"partition": CUT | {"window_start_s": -0.1, "window_end_s": 0.4}}, "partition cuts 10 of 0.05 s from -0.1 s"),
        ({"finetune_from": ["all"]}, "finetune_from is about; keep one of them"),
        ({"pretraining_sets": {"one": 1}}, "pretraining_sets is about; keep one of them"),
        ({"tune": {"stages": ["pretrain"]}}, "take pretrain off tune.stages"),
        ({"pretrained": "nowhere"}, "nowhere: no such folder; name one that `neds export`"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_any_job(change, complaint, shared):
    with pytest.raises(UserError, match=re.escape(complaint)) as refused:
        plan(shared, **change)
    assert all(line.startswith("config key pretrained: ") for line in str(refused.value).splitlines())


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"bin_s": 0.1}, "trained on 10 bins of 0.05 s from -0.2 s, arrays.bin_s is 0.1"),
        ({"bins": [1, 10]}, "arrays.bins [1, 10] holds 9"),
        ({"window_start_s": -0.5, "bins": [2, 12]}, "the arrays' first bin in use starts at -0.4 s"),
    ],
)
def test_bins_of_arrays_that_the_configuration_says_are_those_of_the_model(arrays, complaint, shared, tmp_path):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("eid\trole\tpath\nmouse9\ttest\tmouse9.npz\n")
    with pytest.raises(UserError, match=re.escape(complaint)):
        plan(shared, source="aligned", sessions=str(sheet), arrays=arrays)


def test_bins_that_a_file_of_arrays_says_are_held_against_the_model_by_neds_check(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sheet.tsv").write_text("eid\trole\tpath\nmouse9\ttest\tmouse9.npz\n")
    found = plan(shared, source="aligned", sessions=str(tmp_path / "sheet.tsv"))
    step = next(step for step in found.steps if step.rule == "import_arrays")
    arrays = example()
    arrays |= {"whisker_motion_energy": arrays["wheel_speed"], "block": np.array([0.2, 0.5, 0.8] * 20)}
    save(Path("mouse9.npz"), arrays)
    (finding,) = look_into_files(found, [replace(step, inputs={"arrays": ("mouse9.npz",)})], only_first=False)
    own = f"session mouse9 has {arrays['spikes'].shape[1]} of 0.02 s from -0.1 s"
    assert finding.state == "missing"
    assert f"mouse9.npz: the model was trained on 10 bins of 0.05 s from -0.2 s, {own}" in finding.said
    assert "cut the arrays as that" in finding.said


@pytest.mark.slow
def test_the_workflow_fine_tunes_a_shared_model_and_again_when_it_is_another(tmp_path):
    model = tmp_path / "from-afar"
    session = replace(make_session(n_bins=20), bin_s=0.1, window_start_s=-0.5)
    trained = train_to(tmp_path / "trained", settings(epochs=2, validate_every=1), session)
    export_model(checkpoint=trained / "best.safetensors", output=model, licence="mit")
    config = TINY | {"pretrained": str(model), "regimes": ["finetuned"], "baselines": ["psth"]}
    config |= {"synthetic": TINY["synthetic"] | {"n_train": 1, "n_test": 1}}
    scores = tmp_path / "results/tables/metrics.csv"
    snakemake(tmp_path, "results/tables/metrics.csv", config=config)
    assert set(metrics_table([scores])["training"].dropna()) == {"finetuned-from-afar"}
    assert not planned(tmp_path, config, arguments=["results/tables/metrics.csv"])
    other = train_to(tmp_path / "other", settings(epochs=1, validate_every=1, seed=1), session)
    export_model(checkpoint=other / "best.safetensors", output=model, licence="mit")
    again = planned(tmp_path, config, arguments=["results/tables/metrics.csv"])
    assert again == {"finetune": 1, "evaluate": 1, "metrics_table": 1}
