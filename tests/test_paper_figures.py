"""The example that makes all figures and tables of the paper, at a size for tests."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from neds.catalogue import FIGURES, TABLES
from tests.workflow_runs import ROOT, TINY, snakemake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    example = yaml.safe_load((ROOT / "docs/examples/paper_figures.yaml").read_text())
    small = TINY | {
        "synthetic": TINY["synthetic"] | {"n_test": 1},
        "baselines": ["linear", "rrr-multi"],
        "modes": ["mm"],
    }
    small |= {"results": "results", "train_trials": [20, "all"], "regions": {"projection": "pca"}}
    snakemake(folder, "figures", "tables", config=example | small)
    return folder / "results"


def test_every_figure_is_drawn_from_data(results):
    eid = next(path.name for path in (results / "evaluation").iterdir())
    for name in FIGURES:
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
    for name in TABLES:
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
