"""Figures that a configuration cannot fill are left out, and the line that says so names the right one."""

from pathlib import Path

import pytest
import yaml

from neds.catalogue import FIGURES, TABLES, Catalogue
from neds.config import check_config

ROOT = Path(__file__).parents[1]
EVERYTHING = {
    "modes": ["mm", "encoding", "decoding"],
    "pretraining_sets": {"two": 2},
    "finetune_from": ["all", "two"],
    "train_trials": [30, "all"],
    "baselines": ["psth", "linear", "rrr", "rrr-multi", "oracle"],
    "ablations": {"tables": ["schemes", "size", "embeddings"]},
}
ABLATIONS = {"ablation_schemes", "ablation_size", "ablation_embeddings"}


def catalogue(**values) -> Catalogue:
    return Catalogue(*check_config(values, base=ROOT))


@pytest.mark.parametrize(
    ("change", "left_out"),
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
            {"region_encoding", "{eid}/psths", "{eid}/raster", "encoding_inputs", *ABLATIONS},
        ),
        ({"modes": ["encoding"], "ablations": {}}, {"{eid}/traces", "calibration", *ABLATIONS}),
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
def test_figures_that_were_not_run_are_left_out(change, left_out):
    found = catalogue(**EVERYTHING | change)
    assert found.left_out().keys() == left_out
    about_figures = [line for line in found.messages() if "left out" in line]
    named = {line.split(",")[0].split("/", 1)[1] for line in about_figures}
    assert named == left_out and len(about_figures) == len(left_out)


def test_lines_say_what_would_make_the_figure():
    assert (
        "figures/gain, NEDS multi-session against single-session (Fig. 2B): left out; "
        "to have it, add finetuned to regimes"
    ) in catalogue(regimes=["scratch"]).messages()
    absent = catalogue(baselines=["psth"]).messages()
    for model in ("linear", "RRR", "unimodal NEDS for encoding", "unimodal NEDS for decoding"):
        assert any(line.startswith(f"figures/metrics and tables/benchmark: without {model};") for line in absent)
    assert not catalogue(**EVERYTHING).messages()


@pytest.mark.parametrize("modes", [["encoding"], ["mm", "decoding"], ["encoding", "decoding"]])
def test_models_that_are_drawn_are_not_said_to_be_left_out(modes):
    lines = "\n".join(catalogue(**EVERYTHING | {"modes": modes, "ablations": {}}).messages())
    titles = {
        "mm": "multimodal NEDS",
        "encoding": "unimodal NEDS for encoding",
        "decoding": "unimodal NEDS for decoding",
    }
    assert {mode for mode, title in titles.items() if f"without {title};" in lines} == set(titles) - set(modes)


def test_without_models_of_all_trials_what_needs_none_remains():
    found = catalogue(**EVERYTHING | {"train_trials": [20, 30]})
    assert (FIGURES.keys() | TABLES.keys()) - found.left_out().keys() == {
        *("overview", "metrics", "benchmark", "data_efficiency", "learning/{mode}-pretraining", "regions"),
        *ABLATIONS,
    }


def test_multi_session_is_the_first_pretraining_set():
    found = catalogue(**EVERYTHING | {"finetune_from": ["two", "all"]})
    assert found.gain_rows() == [[("neds-mm-finetuned-two", "neds-mm-scratch")]]
    assert found.multi_session_rows() == [
        [("neds-mm-finetuned-two", "rrr-multi")],
        [("neds-mm-finetuned-two", "neds-mm-finetuned-all")],
    ]
    assert "neds-mm-finetuned-all" not in found.compared() and "neds-mm-finetuned-all" in found.tabulated()


def test_unimodal_models_take_the_place_of_the_multimodal_one():
    found = catalogue(**EVERYTHING | {"modes": ["encoding", "decoding"], "ablations": {}})
    assert found.drawn("encoding") == ["neds-encoding-scratch", "neds-encoding-finetuned-all"]
    assert [pair[0] for pair in found.gain_rows()[0]] == ["neds-encoding-finetuned-all", "neds-decoding-finetuned-all"]


def test_example_of_the_papers_figures_leaves_nothing_out():
    values = yaml.safe_load((ROOT / "docs/examples/paper_figures.yaml").read_text())
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["synthetic"] = default["synthetic"] | values["synthetic"]
    values["partition"] = default["partition"] | values["partition"]
    assert not catalogue(**default | values).messages()


def test_without_unimodal_curves_fewer_models_make_the_same_figures():
    values = EVERYTHING | {"unimodal_curves": False}
    config, _ = check_config(values, base=ROOT)
    assert config.trainings("encoding") == config.trainings("decoding") == ["scratch", "finetuned-all"]
    several = {
        f"{way}{number}" for way in ("scratch", "finetuned-all", "finetuned-two") for number in ("-30trials", "")
    }
    assert set(config.trainings("mm")) == several
    few, _ = check_config(values | {"train_trials": [20, 30]}, base=ROOT)
    assert few.trainings("encoding") == ["scratch-30trials", "finetuned-all-30trials"]
    found = catalogue(**values)
    assert not found.messages()
    trained = {f"neds-{mode}-{training}" for mode in config.modes for training in config.trainings(mode)}
    drawn = {label for label in found.tabulated() if label.startswith("neds-")}
    assert drawn == {label for label in trained if not label.endswith("trials")}


def test_unimodal_models_alone_have_curves():
    config, _ = check_config(EVERYTHING | {"unimodal_curves": False, "modes": ["encoding"], "ablations": {}}, base=ROOT)
    assert "finetuned-two-30trials" in config.trainings("encoding")
