"""The plan of a configuration: its models, and the figures that it can fill."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from neds.config import check_config
from neds.plan.drawings import ALL_DRAWN, left_out_messages
from neds.plan.models import labels
from neds.plan.plan import TARGETS, Plan
from neds.plan.threads import MOST, threads_of
from neds.run import Run, name_fault

ROOT = Path(__file__).parents[1]
EVERYTHING = {
    "modes": ["mm", "encoding", "decoding"],
    "pretraining_sets": {"two": 2},
    "finetune_from": ["all", "two"],
    "train_trials": [30, "all"],
    "baselines": ["psth", "linear", "rrr", "rrr-multi", "oracle"],
    "ablations": {"tables": ["schemes", "size", "embeddings"]},
    "masking": {"weights": {"encoding": 1.0, "decoding": 1.0, "across": 1.0, "units": 1.0, "future": 1.0}},
}
ABLATIONS = {"ablation_schemes", "ablation_size", "ablation_embeddings"}


def plan(**values) -> Plan:
    return Plan(*check_config(values, base=ROOT))


def left_out(found: Plan) -> set[str]:
    """Names of the figures and tables of the paper and beyond that are left out."""
    return {drawn.name for drawn in ALL_DRAWN if drawn.missing(found) and drawn.name != "ablation_own"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, set()),
        ({"regimes": ["scratch"]}, {"gain", "multi_session", "pretraining_size", "learning/{mode}-pretraining"}),
        ({"regimes": ["finetuned"]}, {"gain"}),
        ({"finetune_from": ["two"]}, {"pretraining_size"}),
        ({"finetune_from": ["two"], "baselines": ["rrr"]}, {"pretraining_size", "multi_session"}),
        ({"finetune_from": ["all", "three"], "pretraining_sets": {"three": 3}}, {"pretraining_size"}),
        ({"train_trials": ["all"]}, {"data_efficiency"}),
        (
            {"modes": ["decoding"], "ablations": {}},
            {"region_encoding", "region_co_smoothing", "{eid}/psths", "{eid}/raster", "encoding_inputs", *ABLATIONS},
        ),
        ({"modes": ["encoding"], "ablations": {}}, {"{eid}/traces", "calibration", "region_co_smoothing", *ABLATIONS}),
        ({"masking": {}}, {"region_co_smoothing"}),
        ({"masking": {}, "evaluation": {"tasks": ["co_smoothing"]}}, set()),
        ({"evaluation": {"tasks": ["forecasting"]}}, {"region_co_smoothing"}),
        ({"ablations": {"tables": ["size"]}}, {"ablation_schemes", "ablation_embeddings"}),
        ({"regions": {"classes": []}}, {"regions"}),
        ({"regions": {"hold_out": "sessions"}}, set()),
        (
            {"regions": {"hold_out": "sessions"}, "finetune_from": ["one"], "pretraining_sets": {"one": 1}},
            {"pretraining_size", "regions"},
        ),
        ({"modalities": ["spikes", "wheel_speed"]}, {"calibration", "encoding_inputs"}),
        ({"modalities": ["spikes", "choice", "block"]}, {"{eid}/traces"}),
    ],
)
def test_figures_that_were_not_run_are_left_out(change, names):
    found = plan(**EVERYTHING | change)
    assert left_out(found) == names
    about_figures = [line for line in left_out_messages(found) if "left out" in line]
    named = {line.split(",")[0].split("/", 1)[1] for line in about_figures}
    assert named == names and len(about_figures) == len(names)


def test_lines_say_what_would_make_the_figure():
    assert (
        "figures/gain, NEDS multi-session against single-session (Fig. 2B): left out; "
        "to have it, add finetuned to regimes"
    ) in left_out_messages(plan(regimes=["scratch"]))
    absent = left_out_messages(plan(baselines=["psth"]))
    for model in ("linear", "RRR", "unimodal NEDS for encoding", "unimodal NEDS for decoding"):
        assert any(line.startswith(f"figures/metrics and tables/benchmark: without {model};") for line in absent)
    assert not left_out_messages(plan(**EVERYTHING))


@pytest.mark.parametrize("modes", [["encoding"], ["mm", "decoding"], ["encoding", "decoding"]])
def test_models_that_are_drawn_are_not_said_to_be_left_out(modes):
    lines = "\n".join(left_out_messages(plan(**EVERYTHING | {"modes": modes, "ablations": {}})))
    titles = {
        "mm": "multimodal NEDS",
        "encoding": "unimodal NEDS for encoding",
        "decoding": "unimodal NEDS for decoding",
    }
    assert {mode for mode, title in titles.items() if f"without {title};" in lines} == set(titles) - set(modes)


def test_without_models_of_all_trials_what_needs_none_remains():
    found = plan(**EVERYTHING | {"train_trials": [20, 30]})
    assert {drawn.name for drawn in ALL_DRAWN} - {"ablation_own"} - left_out(found) == {
        *(
            "overview",
            "metrics",
            "benchmark",
            "further_scores",
            "budgets",
            "data_efficiency",
            "learning/{mode}-pretraining",
            "regions",
        ),
        *ABLATIONS,
    }


def test_multi_session_is_the_first_pretraining_set():
    found = plan(**EVERYTHING | {"finetune_from": ["two", "all"]})
    assert found.models.gain_rows() == [[("neds-mm-finetuned-two", "neds-mm-scratch")]]
    assert found.models.multi_session_rows() == [
        [("neds-mm-finetuned-two", "rrr-multi")],
        [("neds-mm-finetuned-two", "neds-mm-finetuned-all")],
    ]
    assert (
        "neds-mm-finetuned-all" not in found.models.compared() and "neds-mm-finetuned-all" in found.models.tabulated()
    )


def test_unimodal_models_take_the_place_of_the_multimodal_one():
    found = plan(**EVERYTHING | {"modes": ["encoding", "decoding"], "ablations": {}})
    assert labels(found.models.drawn("encoding")) == ["neds-encoding-scratch", "neds-encoding-finetuned-all"]
    assert [pair[0] for pair in found.models.gain_rows()[0]] == [
        "neds-encoding-finetuned-all",
        "neds-decoding-finetuned-all",
    ]


def test_example_of_the_papers_figures_leaves_nothing_out():
    values = yaml.safe_load((ROOT / "docs/examples/paper_figures.yaml").read_text())
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["synthetic"] = default["synthetic"] | values["synthetic"]
    values["partition"] = default["partition"] | values["partition"]
    assert [line.split(",")[0] for line in left_out_messages(plan(**default | values))] == [
        "figures/region_co_smoothing"
    ]


def trainings(found: Plan, mode: str) -> list[str]:
    return list(dict.fromkeys(run.training for run in found.models.of_sessions() if run.mode == mode))


def test_without_unimodal_curves_fewer_models_make_the_same_figures():
    values = EVERYTHING | {"unimodal_curves": False}
    found = plan(**values)
    assert trainings(found, "encoding") == trainings(found, "decoding") == ["scratch", "finetuned-all"]
    several = {
        f"{way}{number}" for way in ("scratch", "finetuned-all", "finetuned-two") for number in ("-30trials", "")
    }
    assert set(trainings(found, "mm")) == several
    few = plan(**values | {"train_trials": [20, 30]})
    assert trainings(few, "encoding") == ["scratch-30trials", "finetuned-all-30trials"]
    assert not left_out_messages(found)
    trained = {run.label for run in found.models.of_sessions()}
    drawn = {label for label in found.models.tabulated() if label.startswith("neds-")}
    assert drawn == {label for label in trained if not label.endswith("trials")}


def test_unimodal_models_alone_have_curves():
    found = plan(**EVERYTHING | {"unimodal_curves": False, "modes": ["encoding"], "ablations": {}})
    assert "finetuned-two-30trials" in trainings(found, "encoding")


@pytest.mark.parametrize("values", [{}, EVERYTHING, {"tune": {"stages": ["pretrain", "scratch", "finetuned"]}}])
def test_every_input_is_made_by_an_earlier_job(values):
    found = plan(**values)
    made: set[str] = set()
    for step in found.steps:
        assert made.issuperset(step.read) and made.issuperset(step.also), step.title
        assert made.isdisjoint(step.outputs.values()), step.title
        made.update(step.outputs.values())


def test_every_job_belongs_to_a_target_or_makes_what_may_be_missing():
    found = plan(**EVERYTHING | {"tune": {"stages": ["scratch"]}})
    asked = set(found.targets(*TARGETS))
    for step in found.steps:
        assert asked.issuperset(step.outputs.values()) == step.is_target, step.title


def test_order_of_the_sheet_changes_no_pretraining():
    config, sessions = check_config({}, base=ROOT)
    trained = Plan(config, sessions), Plan(config, sessions[::-1])
    first, second = (next(step for step in found.steps if step.rule == "pretrain") for found in trained)
    assert first == second


@pytest.mark.parametrize(
    "name", ["neds-mm-scratch", "neds-decoding-finetuned-a-set-50trials-seed3", "neds-mm-scratch-ensemble"]
)
def test_a_run_is_what_its_name_says(name):
    run = Run.parse(name)
    assert run.name == name
    assert Run.parse(run.label) == replace(run, seed=None)


def test_what_is_no_run_is_not_taken_for_one():
    for text in ("psth", "rrr-multi", "neds-mm", "neds-lm-scratch", ""):
        assert Run.parse(text) is None


def test_all_parts_of_a_run_are_in_its_name():
    runs = [
        Run(mode=mode, regime=regime, pretraining_set=name, variant=variant, trials=trials, seed=seed)
        for mode in ("mm", "encoding")
        for regime, name, variant in (
            ("scratch", "", ""),
            ("scratch", "", "wide"),
            ("finetuned", "all", ""),
            ("finetuned", "two-of-them", ""),
            ("pretrained", "all", ""),
        )
        for trials in (None, 50)
        for seed in (None, 0, 12)
    ]
    assert len({run.name for run in runs}) == len(runs)
    assert [Run.parse(run.name) for run in runs] == runs
    for ambiguous in ("wide-50trials", "wide-ensemble", "wide-seed1", "seed1", "50trials", "a b", ""):
        assert name_fault(ambiguous)


@pytest.mark.parametrize("cores", [1, 2, 3, 16, 64])
@pytest.mark.parametrize("change", [{}, {"seeds": [0, 1, 2]}, {"regimes": ["finetuned"]}, EVERYTHING])
def test_jobs_that_run_side_by_side_share_the_cores(change, cores):
    found = plan(**change)
    together = ["pretrain", "train_from_scratch", "train_variant"]
    for rules in (together, ["finetune"], ["baseline"], ["evaluate"]):
        jobs = [step.rule for step in found.steps if step.rule in rules]
        threads = [threads_of(found, rule, cores=cores) for rule in jobs]
        assert sum(threads) <= max(cores, len(jobs)) and set(threads) <= set(range(1, MOST + 1))
    assert threads_of(found, "pretrain", cores=cores) >= threads_of(found, "train_from_scratch", cores=cores)
    assert threads_of(found, "partition", cores=cores) == 1


def test_many_cores_are_used_by_few_jobs():
    found = plan()
    rules = ("pretrain", "train_from_scratch", "finetune", "evaluate")
    assert [threads_of(found, rule, cores=16) for rule in rules] == [8, 3, 8, 4]
    assert {threads_of(found, rule, cores=2) for rule in rules} == {1}


def asked(found: Plan) -> dict[str, list[str]]:
    """The tasks of units that each evaluation of the first test session is asked for, by model and its training."""
    steps = [s for s in found.steps if s.rule in ("baseline", "evaluate") and s.wildcards["eid"] == found.test[0]]
    return {
        "-".join(s.wildcards.get(part, "") for part in ("baseline", "mode", "training")).strip("-"): [
            task for task, value in s.values.get("unit_tasks", {}).items() if value is not None
        ]
        for s in steps
    }


def test_models_are_asked_for_what_their_schemes_train_them_for():
    schemes = {"encoding": 1.0, "decoding": 1.0}
    values = {
        "modes": ["mm", "encoding"],
        "baselines": ["linear", "rrr", "oracle-behaviour"],
        "masking": {"weights": schemes},
    }
    assert set(map(str, asked(plan(**values)).values())) == {"[]"}
    units = {"ablations": {"variants": {"units": {"masking.weights.units": 1.0}}}}
    of_variant = asked(plan(**values | units))
    assert of_variant["mm-scratch-units"] == ["held_out"] and not of_variant["mm-scratch"] and not of_variant["linear"]

    both = ["held_out", "forecast_ratio"]
    for change in (
        {"masking": {"weights": schemes | {"units": 1.0, "future": 0.5}}},
        {"evaluation": {"tasks": ["co_smoothing", "forecasting"]}},
    ):
        found = asked(plan(**values | change))
        assert found["mm-scratch"] == found["mm-finetuned-all"] == found["linear"] == found["rrr"] == both
        assert not found["encoding-scratch"] and not found["oracle-behaviour"]
    by_stage = {"overrides": {"finetuned": {"masking.weights.future": 1.0}}}
    found = asked(plan(**values | by_stage))
    assert found["mm-finetuned-all"] == found["linear"] == ["forecast_ratio"] and not found["mm-scratch"]


def test_what_is_held_out_is_no_matter_of_training():
    values = {"masking": {"weights": {"encoding": 1.0, "units": 1.0}}}
    one, other = plan(**values), plan(**values, evaluation={"held_out_seed": 1, "forecast_ratio": 0.3})
    changed = {a.rule for a, b in zip(one.steps, other.steps, strict=True) if a.values != b.values}
    assert changed == {"baseline", "evaluate"}
    plain, unused = plan(), plan(evaluation={"held_out_seed": 1, "forecast_ratio": 0.3})
    changed = {a.rule for a, b in zip(plain.steps, unused.steps, strict=True) if a.values != b.values}
    assert not changed, "nobody is asked for these tasks"


def test_the_table_of_sessions_is_given_the_held_out_units_that_are_named():
    def given(**evaluation) -> object:
        step = plan(evaluation=evaluation).step("sessions_table", {})
        return step.values.get("held_out")

    assert given(tasks=["co_smoothing"]) is None and given(held_out_uuids=["a"]) is None
    assert given(tasks=["co_smoothing"], held_out_uuids=["a"])["uuids"] == ["a"]


def test_recordings_come_before_all_other_jobs():
    """What is wrong with one is told before a training begins."""
    priorities = {}
    for file in (ROOT / "rules").glob("*.smk"):
        of_rules = re.split(r"(?m)^ *rule (\w+):$", file.read_text())[1:]
        for name, text in zip(of_rules[::2], of_rules[1::2], strict=True):
            found = re.search(r"(?m)^ *priority: (\d+)$", text)
            priorities[file.stem, name] = int(found[1]) if found else 0
    of_sessions = [priority for (file, _), priority in priorities.items() if file == "sessions"]
    assert min(of_sessions) > max(priority for (file, _), priority in priorities.items() if file != "sessions")
