"""The two configurations that repeat the paper: whole, as costly as they say, and apart where they say so."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from neds.config import load_config
from neds.config.layers import leaves
from neds.config.schema import Config
from neds.model.checkpoint import load_network
from neds.plan.drawings import left_out_messages
from neds.plan.plan import Plan
from tests.aligned_sessions import make_session
from tests.test_training import NAMES as MODALITIES
from tests.test_training import train_to

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
NAMES = ("neds_paper", "neds_public_code")


def plan_of(name: str) -> Plan:
    given = load_config([ROOT / "config.yaml", EXAMPLES / f"{name}.yaml"], base=ROOT)
    return Plan(given.config, given.sessions)


@pytest.mark.parametrize("name", NAMES)
def test_all_models_searches_and_figures_of_the_paper_are_planned(name):
    plan = plan_of(name)
    assert (len(plan.train), len(plan.test), plan.config.seeds) == (74, 10, [0, 1, 2])
    assert [line.split(",")[0] for line in left_out_messages(plan)] == ["figures/region_co_smoothing"], (
        "not in the paper"
    )
    number = re.search(r"Jobs: (\d+)", (EXAMPLES / f"{name}.yaml").read_text())
    assert number and int(number[1]) == len(plan.steps)
    searched = {step.rule: step.values["settings"]["search"] for step in plan.steps if step.rule.startswith("tune_")}
    assert {rule: search["n_trials"] for rule, search in searched.items()} == {"tune_scratch": 50, "tune_finetune": 30}


@pytest.mark.parametrize("name", NAMES)
def test_models_have_the_sizes_and_lengths_of_the_paper(name):
    config = plan_of(name).config
    found = {
        (stage, mode): config.run_settings(stage, mode)
        for stage in ("pretrain", "scratch", "finetuned")
        for mode in ("mm", "encoding", "decoding")
    }
    for (stage, mode), run in found.items():
        assert run.model.layers == (5 if stage == "scratch" else 22)
        assert run.training.batch_size == (1024 if stage == "pretrain" else 16)
        assert run.training.epochs == (4000 if mode == "encoding" else 2000)
        usual = 5e-4 if mode == "encoding" else 2e-4
        assert run.training.lr == (3e-3 if stage == "pretrain" else usual)
        assert run.training.shared_lr == 1 and not run.training.loss_weights
        assert mode != "encoding" or run.masking.single_behaviour == 0


@pytest.mark.parametrize("mode", ["mm", "encoding", "decoding"])
@pytest.mark.parametrize("name", NAMES)
def test_a_small_network_of_its_settings_is_trained_and_fine_tuned(name, mode, tmp_path):
    small = {
        "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
        "training": {"epochs": 4, "batch_size": 8, "lr": 3e-3, "validate_every": 2},
    }

    def values(stage: str) -> dict:
        settings = plan_of(name).config.run_settings(stage, mode)
        run = settings.model_copy(update={"training": settings.training.of_result()}).model_dump()
        return {"mode": mode, "modalities": MODALITIES, **{key: run[key] | small.get(key, {}) for key in run}}

    first = train_to(tmp_path / "a", values("pretrain"), make_session(), make_session("mouse2", n_units=4))
    tuned = train_to(tmp_path / "b", values("finetuned"), make_session("mouse3"), pretrained=first / "best.safetensors")
    log = pd.read_csv(tuned / "log.csv")
    assert len(log) == 2 and np.isfinite(log.filter(like="loss").to_numpy()).all()
    settings = load_network(tuned / "best.safetensors")[0].design.settings
    assert (settings.init, settings.readout_without_tokens) == ("public_code", "concatenated")


def test_the_two_differ_where_they_say_so_and_nowhere_else():
    texts = [(EXAMPLES / f"{name}.yaml").read_text() for name in NAMES]
    values = [dict(leaves(Config, yaml.safe_load(text))) for text in texts]
    assert values[0].keys() == values[1].keys()
    different = {key for key in values[0] if values[0][key] != values[1][key]} - {"results"}
    for text in texts:
        lines = text[text.index("source:") :].splitlines()
        marked = set()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if "# differs" in line:
                marked.add((after if line.strip().startswith("#") else line).strip().partition(":")[0])
        assert marked == {"tune" if key.startswith("tune.") else key.rpartition(".")[2] for key in different}
