"""The example that makes all figures and tables of the paper, at a size for tests."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from neds.model.checkpoint import read_checkpoint
from neds.plan.figures import FIGURES as ALL_FIGURES
from neds.plan.tables import TABLES
from tests.workflow_runs import ROOT, TINY, planned, snakemake

pytestmark = pytest.mark.slow
FIGURES = [drawn for drawn in ALL_FIGURES if drawn.name != "region_co_smoothing"]
"""The paper has no co-smoothing."""


def small_example() -> dict:
    """The example's configuration at a size for tests, with a variant of one's own."""
    example = yaml.safe_load((ROOT / "docs/examples/paper_figures.yaml").read_text())
    small = TINY | {
        "synthetic": TINY["synthetic"] | {"n_test": 1},
        "baselines": ["linear", "rrr-multi"],
        "modes": ["mm"],
    }
    small |= {"results": "results", "train_trials": [20, "all"]}
    small["ablations"] = example["ablations"] | {"variants": {"wide": {"model.dim": 32}}}
    return example | small


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    snakemake(folder, config=small_example())
    return folder / "results"


def test_every_figure_is_drawn_from_data(results):
    eid = next(path.name for path in (results / "evaluation").iterdir())
    for name in (drawn.name for drawn in FIGURES):
        stem = results / "figures" / name.format(eid=eid, mode="mm")
        plotted = pd.read_csv(stem.with_suffix(".csv"))
        assert len(plotted) and "note" not in plotted, name
        assert stem.with_suffix(".pdf").stat().st_size > 5000 and stem.with_suffix(".png").stat().st_size > 5000


def test_curves_have_every_set_and_number_of_trials(results):
    sizes = pd.read_csv(results / "figures/pretraining_size.csv", keep_default_na=False)
    assert set(zip(sizes["pretraining_set"], sizes["n_pretraining_sessions"], strict=True)) == {
        ("", 0),
        ("one", 1),
        ("all", 2),
    }
    trials = pd.read_csv(results / "figures/data_efficiency.csv")
    assert set(trials["train_trials"].astype(str)) == {"20", "all"}
    pairs = pd.read_csv(results / "figures/multi_session.csv")
    assert set(pairs["other"]) == {"rrr-multi", "neds-mm-finetuned-one"}


def test_tables_have_the_papers_numbers_beside_ones_own(results):
    for name in (drawn.name for drawn in TABLES):
        assert all((results / f"tables/{name}.{suffix}").stat().st_size for suffix in ("csv", "md", "tex", "html"))
    models = pd.read_csv(results / "tables/benchmark.csv")["model"]
    assert {
        "RRR multi-session",
        "NEDS multi-session",
        "NEDS multi-session (one)",
        "POYO+ multi-session (paper)",
    } <= set(models)
    inputs = pd.read_csv(results / "tables/encoding_inputs.csv").set_index("input")
    assert inputs.loc["choice", "NEDS multi-session (paper)"] == 0.06
    assert inputs["NEDS multi-session"].notna().all()


def test_every_variant_was_trained_with_its_change_alone(results):
    scores = pd.read_csv(results / "tables/ablations.csv")
    assert list(scores.columns) == list(pd.read_csv(results / "tables/metrics.csv").columns)
    variants = set(scores["training"]) - {"scratch"}
    assert len(variants) == 7 and "scratch-wide" in variants
    assert not set(pd.read_csv(results / "tables/metrics.csv")["training"].dropna()) & variants
    eid = scores["eid"].iloc[0]

    def run_of(training: str) -> dict:
        return read_checkpoint(results / f"models/{eid}/mm-{training}/seed0/best.safetensors")[0].record["run"]

    unchanged, wide, without = map(run_of, ("scratch", "scratch-wide", "scratch-without-cross-modal"))
    assert wide == unchanged | {"model": unchanged["model"] | {"dim": 32}}
    weights = unchanged["masking"]["weights"] | {"across": 0.0}
    assert without == unchanged | {"masking": unchanged["masking"] | {"weights": weights}}
    rows = pd.read_csv(results / "tables/ablation_own.csv").set_index("model")
    assert rows.loc["wide", "parameters (M)"] > 1.5 * rows.loc["unchanged", "parameters (M)"]


def test_a_changed_variant_is_trained_again_alone(results):
    config = small_example()
    config["ablations"] |= {"variants": {"wide": {"model.dim": 48}}}
    again = {"train_variant": 1, "evaluate": 1, "ablation_metrics": 1, "table": 4}
    assert planned(results.parent, config) == again
    del config["ablations"]
    assert planned(results.parent, config) == {"left_out": 1}


def test_report_is_one_page_with_captions_and_all_tables(results):
    snakemake(results.parent, "--report", "report.html", config=small_example())
    page = (results.parent / "report.html").read_text()
    shown = json.loads(re.search(r"var results = (\{.*\});", page).group(1))
    paths = {Path(path).relative_to("results").as_posix() for path in shown}
    eid = next(path.name for path in (results / "evaluation").iterdir())
    assert {f"figures/{drawn.name}.png".format(eid=eid, mode="mm") for drawn in FIGURES} <= paths
    assert {f"tables/{name}.html" for name in [*(drawn.name for drawn in TABLES), "ablation_own"]} <= paths
    listed = ("sessions", "metrics", "regions", "ablations", "configuration", "software")
    assert {f"tables/{name}.html" for name in listed} <= paths
    for path, result in shown.items():
        assert result["caption"] and "system-message" not in result["caption"], path
        assert result["data_uri"].startswith("data:"), "nothing is left outside the page"
    front = json.loads(re.search(r"var workflow_desc = (\".*\");", page).group(1))
    assert "synthetic sessions" in front and "system-message" not in front
    assert "NEDS single-session" in front and "bits per spike" in front, "the main table"
    assert re.search(r'<img [^>]*src="data:image/png;base64,iVBOR\w', front), "the main figure"


def test_configuration_and_software_are_listed(results):
    listed = pd.read_csv(results / "tables/configuration.csv", keep_default_na=False).set_index("key")["value"]
    assert listed["synthetic.n_test"] == "1" and listed["model.layers"] == "1" and listed["source"] == "synthetic"
    assert listed["ablations.variants"] == "{wide: {model.dim: 32}}"
    assert "torch" in (results / "tables/software.csv").read_text()
