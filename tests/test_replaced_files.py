"""Files of the user's that are replaced in place, moved away or not there: exactly what is made of them is made again."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from neds.config import load_config
from neds.plan.opened import OpenedPlan
from neds.plan.stale import Staleness
from tests import other_formats as formats
from tests.alf_trees import SESSION_PATH, write_session
from tests.test_hostile_files import nwb_with_linked_series
from tests.workflow_runs import ROOT, planned, snakemake

pytestmark = pytest.mark.slow

EIDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2)]
SECOND = SESSION_PATH.replace("TL_001", "TL_002")
ALF = {
    "source": "alf",
    "sessions": "sheet.tsv",
    "regimes": ["scratch"],
    "modalities": ["spikes", "wheel_speed", "choice"],
    "download": {"alf_root": "alf"},
    "partition": {"min_trials": 5, "min_units": 3, "min_rate_hz": 0.5},
}
NWB = {
    "source": "nwb",
    "sessions": "sheet.tsv",
    "regimes": ["scratch"],
    "modalities": ["spikes", "wheel_speed"],
    "nwb": {"series": {"wheel_speed": "processing/behavior/treadmill/speed"}},
    "partition": {"align": "cue", "trial_rule": "all", "min_units": 5, "min_trials": 20},
}


OF_SESSIONS = ("download_alf", "convert", "partition", "sessions_table")


def stale(folder: Path, config: dict, monkeypatch) -> dict[str, int]:
    """The jobs of sessions that the plan would do again, by rule."""
    monkeypatch.chdir(folder)
    Path("plan.yaml").write_text(yaml.safe_dump(config))
    found = OpenedPlan(load_config([ROOT / "config.yaml", Path("plan.yaml")]), is_main=True)
    reasons = Staleness(found.plan, found.code).reasons()
    return dict(Counter(step.rule for step, _ in reasons if step.rule in OF_SESSIONS))


def test_an_alf_file_that_is_replaced_in_place_is_noticed(tmp_path, monkeypatch):
    for path in (SESSION_PATH, SECOND):
        write_session(tmp_path / "alf", path=path, probes=("probe00",))
    rows = [f"{eid}\ttest\t{path}\n" for eid, path in zip(EIDS, (SESSION_PATH, SECOND), strict=True)]
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\n" + "".join(rows))
    snakemake(tmp_path, "sessions", config=ALF)
    assert stale(tmp_path, ALF, monkeypatch) == {}
    times = tmp_path / "alf" / SECOND / "alf/probe00/pykilosort/spikes.times.npy"
    content = times.read_bytes()
    os.utime(times)
    assert stale(tmp_path, ALF, monkeypatch) == {}, "a file that is only touched is the same"
    np.save(times, np.load(times) + 0.01)
    assert len(times.read_bytes()) == len(content)
    expected = {"download_alf": 1, "partition": 1, "sessions_table": 1}
    assert stale(tmp_path, ALF, monkeypatch) == expected == planned(tmp_path, ALF, arguments=["sessions"])
    times.write_bytes(content)
    assert stale(tmp_path, ALF, monkeypatch) == {}
    (tmp_path / "alf").rename(tmp_path / "away")
    assert stale(tmp_path, ALF, monkeypatch) == {}, "a disk that is not mounted says nothing"
    for made in (tmp_path / "results").glob(f"*/{EIDS[0]}.h5"):
        made.unlink()
    printed = snakemake(tmp_path, "sessions", config=ALF, check=False)
    assert f"  download_alf {EIDS[0]}: alf/{SESSION_PATH}/alf\n" in printed and EIDS[1] not in printed


def test_an_nwb_file_or_one_that_it_is_linked_to_that_is_replaced_in_place_is_noticed(tmp_path, monkeypatch):
    _, linked = nwb_with_linked_series(tmp_path)
    formats.write_nwb(tmp_path / "t.nwb", seed=1)
    sheet = "eid\trole\tpath\tlinked\ns\ttest\ts.nwb\tbehaviour/speed.nwb\nt\ttest\tt.nwb\t\n"
    (tmp_path / "sheet.tsv").write_text(sheet)
    snakemake(tmp_path, "sessions", config=NWB)
    assert stale(tmp_path, NWB, monkeypatch) == {}
    expected = {"convert": 1, "partition": 1, "sessions_table": 1}
    content = linked.read_bytes()
    formats.write_nwb(linked, seed=2)
    assert stale(tmp_path, NWB, monkeypatch) == expected
    linked.write_bytes(content)
    assert stale(tmp_path, NWB, monkeypatch) == {}
    formats.write_nwb(tmp_path / "t.nwb", seed=3)
    assert stale(tmp_path, NWB, monkeypatch) == expected
    (tmp_path / "sheet.tsv").write_text(sheet.replace("behaviour/speed.nwb", ""))
    assert stale(tmp_path, NWB, monkeypatch)["convert"] == 2


def test_files_of_the_sheet_that_are_not_there_end_the_plan_with_their_names_alone(tmp_path):
    formats.write_nwb(tmp_path / "there.nwb")
    rows = [f"{eid}\ttest\t{eid}.nwb\n" for eid in ("there", "a", "b")]
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\n" + "".join(rows))
    printed = snakemake(tmp_path, "sessions", config=NWB, check=False)
    assert printed[printed.index("The sessions sheet") :].splitlines() == [
        "The sessions sheet names 2 files that are not there; correct the paths, or take the sessions off the sheet:",
        "  convert a: a.nwb",
        "  convert b: b.nwb",
    ]
    assert "convert there" not in snakemake(tmp_path, "-n", "results/aligned/there.h5", config=NWB)
