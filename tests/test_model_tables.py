"""Tables that compare models: differences paired by session, scores beside the primary ones, shares of the oracles."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.compare_models import comparison, paired_differences
from neds.evaluation.summary import session_scores, shares
from neds.modalities import resolve
from neds.tables.differences import differences_table
from neds.tables.further_scores import further_scores_table
from neds.tables.write import write_table

MODALITIES = resolve(["spikes", "wheel_speed", "choice"], {})


def rows_of(
    model: str, values: list[float], *, target: str = "spikes", metric: str = "bits_per_spike", **more
) -> pd.DataFrame:
    """Rows of the metrics table, a session each; NaN where it has no such score."""
    known = {"model": model, "training": "", "seed": 0, "target": target, "metric": metric, "inputs": "x"}
    known |= {"task": "encoding" if target == "spikes" else "decoding", "trained_for": True} | more
    return pd.DataFrame([known | {"eid": f"s{place}", "value": value} for place, value in enumerate(values)])


def test_differences_are_paired_and_tested_where_a_test_can_show_something(tmp_path):
    ours, other = np.array([0.2, 0.3, 0.5, 0.4, 0.6, 0.9]), np.array([0.1, 0.25, 0.2, 0.33, 0.2, 0.4])
    ours_wheel, other_wheel = [*ours[:4], np.nan, np.nan], [np.nan, *other[1:]]
    metrics = pd.concat(
        [
            rows_of("linear", other),
            rows_of("linear", other_wheel, target="wheel_speed", metric="r2"),
            rows_of("neds-mm", ours, training="scratch"),
            rows_of("neds-mm", ours_wheel, target="wheel_speed", metric="r2", training="scratch"),
        ]
    )
    table = differences_table(
        metrics, MODALITIES, models=["linear", "neds-mm-scratch"], references=["neds-mm-scratch", "linear"]
    )
    write_table(table, tmp_path / "differences")
    row = pd.read_csv(tmp_path / "differences.csv").set_index("model").loc["linear"]
    assert list(table.rows) == ["linear"], "the model that is subtracted has no row"
    assert row["spikes: bits per spike"] == pytest.approx((other - ours).mean())
    assert row["spikes: bits per spike, s.e.m."] == pytest.approx((other - ours).std(ddof=1) / np.sqrt(6))
    assert row["spikes: bits per spike, n"] == 6
    assert row["spikes: bits per spike, p"] == pytest.approx(2 / 2**6), "all six are lower: the smallest exact p"
    assert row["wheel speed: R²"] == pytest.approx((other - ours)[1:4].mean())
    assert row["wheel speed: R², n"] == 3, "sessions that only one of them has are left out"
    assert "wheel speed: R², p" not in row
    assert "3 to 6 test sessions" in table.caption and "Wilcoxon" in table.caption


def test_five_sessions_are_not_tested_and_the_caption_says_why():
    metrics = pd.concat([rows_of("linear", [0.1] * 5), rows_of("psth", [0.2, 0.3, 0.4, 0.5, 0.6])])
    table = differences_table(metrics, MODALITIES, models=["psth"], references=["linear"])
    assert list(table.columns) == ["spikes: bits per spike"]
    assert "cannot give p < 0.05" in table.caption


def test_unimodal_models_are_compared_with_the_one_of_their_task():
    metrics = pd.concat(
        [
            rows_of("neds-encoding", [0.1, 0.2], training="scratch"),
            rows_of("neds-decoding", [0.5, 0.6], target="wheel_speed", metric="r2", training="scratch"),
            rows_of("linear", [0.3, 0.4]),
            rows_of("linear", [0.4, 0.5], target="wheel_speed", metric="r2"),
        ]
    )
    references = ["neds-encoding-scratch", "neds-decoding-scratch"]
    entries = differences_table(metrics, MODALITIES, models=["linear"], references=references).entries
    assert entries.set_index("column")["mean"].to_dict() == pytest.approx(
        {"spikes: bits per spike": 0.2, "wheel speed: R²": -0.1}
    )


def test_shares_are_of_the_same_session_and_left_out_where_the_oracle_has_nothing():
    metrics = pd.concat([rows_of("linear", [0.1, 0.3, 0.2]), rows_of("oracle", [0.2, 0.4, -0.1])])
    found = shares(session_scores(metrics), of="oracle")
    linear = found[found["model"] == "linear"].set_index("eid")["value"]
    assert linear.to_dict() == pytest.approx({"s0": 0.5, "s1": 0.75})
    assert set(found["metric"]) == {"share_of_oracle"}


def test_further_scores_have_the_benchmarks_calibration_and_shares_of_both_oracles(tmp_path):
    metrics = pd.concat(
        [
            rows_of("linear", [0.1, 0.2]),
            rows_of("linear", [0.15, 0.25], metric="bits_per_spike_pooled"),
            rows_of("linear", [0.05, 0.07], metric="poisson_d2"),
            rows_of("linear", [0.9, 0.7], metric="calibration_slope"),
            rows_of("linear", [0.1, 0.3], target="choice", metric="calibration_error"),
            rows_of("oracle", [0.2, 0.8]),
            rows_of("oracle-behaviour", [0.2, 0.4]),
        ]
    )
    models = ["linear", "oracle", "oracle-behaviour"]
    write_table(further_scores_table(metrics, MODALITIES, models=models), tmp_path / "further")
    row = pd.read_csv(tmp_path / "further.csv").set_index("model").loc["linear"]
    assert row["spikes: bits per spike (pooled over spikes)"] == pytest.approx(0.2)
    assert row["spikes: Poisson D²"] == pytest.approx(0.06)
    assert row["spikes: calibration slope, s.e.m."] == pytest.approx(0.1)
    assert row["choice: calibration error"] == pytest.approx(0.2)
    assert row["spikes: share of oracle (true rates)"] == pytest.approx((0.5 + 0.25) / 2)
    assert row["spikes: share of oracle (given behaviour)"] == pytest.approx(0.5)
    real = further_scores_table(metrics[metrics["model"] == "linear"], MODALITIES, models=models)
    assert not any("share" in column for column in real.columns) and "oracle" not in real.caption


def test_comparison_of_a_run_has_n_both_shares_and_paired_differences():
    metrics = pd.concat(
        [
            rows_of("linear", [0.1, 0.2]),
            rows_of("oracle", [0.2, 0.8]),
            rows_of("oracle-behaviour", [0.2, 0.4]),
            *(
                rows_of("neds-mm", [0.1 + seed / 100, 0.3 + seed / 100], training="scratch", seed=seed)
                for seed in (0, 2)
            ),
        ]
    )
    table = comparison(metrics)
    assert table.loc["linear", ["n", "share of oracle", "share of oracle-behaviour"]].tolist() == ["2", "38%", "50%"]
    paired = paired_differences(metrics, against="linear")
    assert paired.loc["neds-mm scratch", "spikes"] == "+0.060 ± 0.050 (2 of 2 higher)"
    assert "linear" not in paired.index
