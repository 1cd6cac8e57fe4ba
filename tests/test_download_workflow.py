"""The workflow with source one, as users run it, with an Alyx on the loopback interface."""

import re
import shutil

import pytest

from neds.files.aligned import read_aligned
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import ALF, log_in, use_scratch_home
from tests.loopback_alyx import serving
from tests.workflow_runs import snakemake

SECOND, THIRD = (SESSION_PATH.replace("TL_001", name) for name in ("TL_002", "TL_003"))


@pytest.mark.slow
def test_a_session_that_fails_is_one_sentence_and_the_others_go_on(tmp_path, monkeypatch):
    folder = use_scratch_home(tmp_path, monkeypatch)
    root = tmp_path / "alf"
    write_session(root)
    for path in (SECOND, THIRD):
        shutil.copytree(root / SESSION_PATH, root / path)
    shutil.rmtree(root / THIRD / "alf" / "probe00")
    shutil.rmtree(root / THIRD / "alf" / "probe01")
    log_in(monkeypatch)
    with serving(root) as server:
        good, broken, unsorted = (server.eid(path) for path in (SESSION_PATH, SECOND, THIRD))
        (root / ALF.replace("TL_001", "TL_002") / "_ibl_trials.table.pqt").unlink()
        (folder / "sheet.tsv").write_text(
            f"eid\trole\tsubject\n{good}\ttest\tTL_001\n{broken}\ttest\tTL_002\n{unsorted}\ttest\tTL_003\n"
        )
        config = {
            "source": "one",
            "sessions": "sheet.tsv",
            "regimes": ["scratch"],
            "download": {"base_url": server.url, "pause_s": 0},
            "partition": {"min_trials": 5, "min_units": 1, "bin_s": 0.1},
        }
        printed = snakemake(folder, "sessions", config=config, check=False)
        assert read_aligned(folder / f"results/aligned/{good}.h5").reason == ""
        assert read_aligned(folder / f"results/aligned/{unsorted}.h5").reason.startswith("no spikes (spikes: ")
        assert not (folder / f"results/raw/{broken}.h5").exists()
        summary = printed[printed.index(" jobs failed:") :]
        assert re.search(
            rf"download_one {broken}\n +session {broken}: alf/_ibl_trials\.table\.pqt: the database lists it but its file "
            r"server has no such file; tell .*\n +log: ",
            summary,
        )
        assert f"download_one {good}" not in summary
        log = (folder / f"results/logs/download/{good}.log").read_text()
        assert "27 datasets, 0.3 MB; in the cache: 0; to download: 0.3 MB" in log
        assert len(log.splitlines()) == 28
        slower = config | {"download": {"base_url": server.url, "pause_s": 1}}
        again = snakemake(folder, "-n", f"results/raw/{good}.h5", config=slower)
        assert "Nothing to be done" in again
