"""The study of changed settings: what its table says, and what it trains again."""

import pandas as pd
import pytest
from aligned_sessions import make_session

from benchmarks.study import Study, run_study, table
from neds.files.aligned import write_aligned

TINY = {"model.dim": 8, "model.heads": 2, "model.mlp": 8, "model.layers": 1, "training.epochs": 1}


def test_table_has_paired_differences_and_their_error_over_sessions():
    values = {"unchanged": [0.1, 0.3, 0.5], "wide": [0.2, 0.5, 0.8]}
    rows = [
        {"change": change, "seed": seed, "session": str(session), "weights": "last", "cpu_s": 2.0, "target": "spikes"}
        | {"value": value + spread}
        for change, of_sessions in values.items()
        for session, value in enumerate(of_sessions)
        for seed, spread in ((0, -0.05), (1, 0.05))
    ]
    shown = table(pd.DataFrame(rows), "last")
    assert shown["spikes"].to_dict() == {"unchanged": "0.300", "wide": "0.500 (+0.200 ± 0.058)"}


@pytest.mark.slow
def test_rows_of_the_same_settings_data_and_code_are_kept(tmp_path):
    write_aligned(tmp_path / "mouse1.h5", make_session())
    study = Study([tmp_path / "mouse1.h5"], [], "mm", None)
    rows = run_study(study, {"tiny": TINY}, [0], tmp_path / "rows.csv")
    marked = pd.read_csv(tmp_path / "rows.csv").assign(cpu_s=-1.0)
    marked.to_csv(tmp_path / "rows.csv", index=False)
    again = run_study(study, {"tiny": TINY, "narrow": TINY | {"model.mlp": 16}}, [0], tmp_path / "rows.csv")
    assert again.groupby("change")["cpu_s"].max().gt(0).to_dict() == {"narrow": True, "tiny": False, "unchanged": False}
    kept = again[again["change"] == "tiny"]["value"].to_list()
    assert kept == pytest.approx(rows[rows["change"] == "tiny"]["value"].to_list())
