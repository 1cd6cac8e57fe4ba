"""The two configurations that repeat the paper: whole, as costly as they say, and apart where they say so."""

import re
from pathlib import Path

import pytest
import yaml

from neds.config import load_config
from neds.config.layers import leaves
from neds.config.schema import Config
from neds.plan.drawings import left_out_messages
from neds.plan.plan import Plan

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
    assert not left_out_messages(plan)
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
