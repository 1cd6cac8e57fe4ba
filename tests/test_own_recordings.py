"""The configurations of docs/data.md, "Your own recordings", run as they stand there."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from neds.config import check_config
from neds.errors import UserError
from tests import other_formats as formats
from tests.test_arrays import N_TRIALS, example
from tests.workflow_runs import ROOT, TINY, snakemake

pytestmark = pytest.mark.slow

DOCUMENT = (ROOT / "docs/data.md").read_text()
CONFIGS = dict(re.findall(r"```yaml\n# (\w+)\.yaml\n(.*?)```", DOCUMENT, re.DOTALL))


def write_arrays(path: Path) -> Path:
    np.savez(path, **example() | {"align_time_s": 4.0 * np.arange(N_TRIALS)})
    return path


FILES = {
    "nwb": (formats.write_nwb, "mouse1.nwb"),
    "windows": (lambda path: formats.write_nwb(path, with_trials=False, with_hand=False), "mouse1.nwb"),
    "brainsets": (formats.write_brainsets, "mouse1.h5"),
    "brain_wide_bench": (formats.write_brain_wide_bench, "mouse1.h5"),
    "arrays": (write_arrays, "mouse1.npz"),
    "blocks": (write_arrays, "mouse1.npz"),
}


def prepare(folder: Path, name: str, **changes) -> dict:
    """Write the session and its sheet; the configuration of the document, for a recording of few units and minutes."""
    write, file = FILES[name]
    write(folder / file)
    (folder / "sheet.tsv").write_text(f"eid\trole\tpath\nmouse1\ttest\t{file}\n")
    config = yaml.safe_load(CONFIGS[name])
    small = {"min_units": 5, "min_trials": 20} | ({"split_blocks": 1} if name == "windows" else {})
    return config | {"partition": config.get("partition", {}) | small} | changes


def test_every_configuration_of_the_document_is_run():
    assert set(CONFIGS) == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name != "windows"])
def test_sessions_are_read_and_cut(name, tmp_path):
    snakemake(tmp_path, "sessions_table", config=prepare(tmp_path, name))
    row = pd.read_csv(tmp_path / "results/tables/sessions.csv").iloc[0]
    assert row["usable"] and min(row["n_train"], row["n_val"], row["n_test"]) > 0
    assert ("boundary between splits" in str(row["dropped"])) == (name == "blocks")


def test_a_recording_without_trials_goes_through_the_workflow(tmp_path):
    small = {"model": TINY["model"], "training": {"epochs": 1}, "baselines": ["psth", "linear"]}
    config = prepare(tmp_path, "windows", **small)
    snakemake(
        tmp_path,
        *(f"results/{f}" for f in ("tables/metrics.csv", "figures/mouse1/traces.png", "figures/left_out.txt")),
        config=config,
    )
    metrics = pd.read_csv(tmp_path / "results/tables/metrics.csv")
    assert set(metrics["model"]) == {"linear", "neds-mm"}
    assert {"bits_per_spike", "r2"} <= set(metrics["metric"])
    assert not {"r2_psth", "r2_residual"} & set(metrics["metric"])
    assert metrics["value"].notna().all()
    left_out = (tmp_path / "results/figures/left_out.txt").read_text()
    assert (
        "figures/{eid}/psths, trial-averaged rates (Fig. 2C): left out; to have it, align trials to an event"
        in left_out
    )


def test_a_mistake_in_the_mapping_is_found_before_any_job_where_it_can_be(tmp_path):
    config = prepare(tmp_path, "nwb")
    config["nwb"] = {"series": {"wheel_sped": "processing/behavior/treadmill/speed"}}
    with pytest.raises(UserError) as caught:
        check_config(config, base=tmp_path)
    assert str(caught.value).split("\n") == [
        "config key nwb.series.wheel_sped: no modality is called so; did you mean wheel_speed?",
        "config key nwb.series: name the series of wheel_speed, e.g. wheel_speed: processing/behavior/Position/paw",
        "config key nwb.series: name the series of hand, e.g. hand: processing/behavior/Position/paw",
    ]


def test_a_mistake_that_only_the_file_shows_is_one_line_of_the_job(tmp_path):
    config = prepare(tmp_path, "nwb")
    config["nwb"]["series"]["hand"] = "processing/behavior/Position/paw"
    printed = snakemake(tmp_path, "sessions", config=config, check=False)
    place = "processing/behavior/Position/paw: processing/behavior/Position has hand"
    assert f"mouse1.nwb, config key nwb.series.hand: no series {place}; correct it" in printed
    assert "Traceback" not in printed
