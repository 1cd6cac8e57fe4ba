"""Figures and tables of scores: what the CSV behind each says."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.stats import wilcoxon

from neds.evaluation.settings import UNIT_TASKS
from neds.figures.bars import metrics_figure, plot_metric_bars
from neds.figures.data_efficiency import data_efficiency_figure
from neds.figures.names import in_order, model_title
from neds.figures.numbers import rounded, signed
from neds.figures.pairs import compare, pairs_figure
from neds.figures.paper import read_paper_numbers
from neds.figures.pretraining_size import pretraining_size_figure
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import model_style
from neds.modalities import resolve
from neds.tables.benchmark import benchmark_table
from neds.tables.encoding_inputs import encoding_inputs_table
from neds.tables.further_scores import further_scores_table
from neds.tables.write import write_table

MODALITIES = resolve(["spikes", "wheel_speed", "choice"], {})


def made_up_metrics() -> pd.DataFrame:
    """Two seeds of two NEDS models and three baselines on three sessions, as the metrics table has them."""
    rng = np.random.default_rng(3)
    rows = []
    scores = {"spikes": "bits_per_spike", "wheel_speed": "r2", "choice": "balanced_accuracy"}
    models = [
        ("neds-mm", "scratch"),
        ("neds-mm", "finetuned"),
        ("linear", np.nan),
        ("psth", np.nan),
        ("oracle", np.nan),
    ]
    for eid in ("a", "b", "c"):
        for model, training in models:
            for seed in (0, 1) if model == "neds-mm" else (0,):
                for target, metric in scores.items():
                    inputs = {"psth": ["condition"], "oracle": ["true_rate"]}.get(
                        model, ["wheel_speed+choice", "choice"]
                    )
                    known = {"eid": eid, "model": model, "training": training, "seed": seed, "target": target}
                    known["n_classes"] = 2 if target == "choice" else np.nan
                    known |= {"task": "encoding" if target == "spikes" else "decoding", "trained_for": True}
                    for used in inputs if target == "spikes" else ["spikes"]:
                        rows.append(known | {"inputs": used, "metric": metric, "value": rng.uniform(0.1, 0.9)})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_figure_says_that_seeds_were_averaged_where_there_are_several(seeds):
    metrics = made_up_metrics()
    metrics = metrics[metrics["seed"].isin(seeds)]
    rows = [[("neds-mm-finetuned", "neds-mm-scratch")]]
    for fig, _ in (metrics_figure(metrics, MODALITIES), pairs_figure(metrics, MODALITIES, rows=rows)):
        texts = " ".join(text.get_text() for text in fig.findobj(Text))
        assert ("mean over seeds" in " ".join(texts.split())) == (len(seeds) > 1)


def said_above(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


def test_metrics_csv_holds_the_means_and_standard_errors_over_sessions(tmp_path):
    metrics, modalities = made_up_metrics(), resolve(["spikes", "wheel_speed", "choice"], {})
    draw(lambda: metrics_figure(metrics, modalities), tmp_path / "metrics")
    plotted = pd.read_csv(tmp_path / "metrics.csv", keep_default_na=False, na_values={"sem": "", "chance": ""})
    for target in modalities:
        for training in ("scratch", "finetuned"):
            rows = metrics[(metrics.target == target) & (metrics.training == training) & (metrics.inputs != "choice")]
            sessions = rows.groupby("eid")["value"].mean()
            bar = plotted[(plotted.target == target) & (plotted.training == training)]
            np.testing.assert_allclose(bar["value"], sessions)
            np.testing.assert_allclose(bar["mean"], sessions.mean())
            np.testing.assert_allclose(bar["sem"], sessions.std(ddof=1) / np.sqrt(3))
            assert bar["n_seeds"].eq(2).all() and bar["n_sessions"].eq(3).all()
    assert plotted.loc[plotted.target == "choice", "chance"].eq(0.5).all()
    assert plotted.loc[plotted.target != "choice", "chance"].isna().all()


def test_bars_are_the_means_and_the_oracle_is_a_line():
    ax = Figure().subplots()
    metrics = made_up_metrics()
    plotted = plot_metric_bars(metrics[metrics.target == "spikes"], ax)
    heights = {bar.get_label(): bar.patches[0].get_height() for bar in ax.containers if bar.get_label()[0] != "_"}
    labels = {"psth": "trial average", "linear": "linear"}
    for model, title in labels.items():
        assert heights[title] == pytest.approx(plotted.loc[plotted.model == model, "mean"].iloc[0])
    assert "oracle" not in heights
    oracle = next(line for line in ax.lines if line.get_label() == "oracle (true rates)")
    assert oracle.get_ydata()[0] == pytest.approx(plotted.loc[plotted.model == "oracle", "mean"].iloc[0])


def test_models_keep_their_colour_whatever_is_drawn():
    metrics = made_up_metrics()
    metrics = metrics[metrics.target == "spikes"]
    colors = []
    for drawn in (metrics, metrics[metrics.training == "finetuned"]):
        ax = Figure().subplots()
        plot_metric_bars(drawn, ax)
        bar = next(bar for bar in ax.containers if bar.get_label() == "NEDS multi-session")
        colors.append(to_hex(bar.patches[0].get_facecolor()))
    assert colors[0] == colors[1] == model_style("neds-mm-finetuned-seed7").color.lower()
    assert model_style("my-model") == model_style("my-model-seed3")
    assert in_order(["neds-mm-finetuned-seed0", "my-model", "psth"]) == ["psth", "neds-mm-finetuned-seed0", "my-model"]


def rows_of(model: str, training: str, values: dict[str, float], *, target: str = "spikes", **more) -> pd.DataFrame:
    """Rows of the metrics table: the score of one model on several sessions, one metric of one target."""
    known = {"model": model, "training": training, "seed": 0, "target": target, "inputs": "wheel_speed+choice"}
    metric = {"spikes": "bits_per_spike", "wheel_speed": "r2", "choice": "balanced_accuracy"}[target]
    known["n_classes"] = 2 if target == "choice" else np.nan
    known |= {"task": "encoding" if target == "spikes" else "decoding", "trained_for": True}
    rows = [{"eid": eid, "value": value, "metric": metric} | known | more for eid, value in values.items()]
    return pd.DataFrame(rows)


def with_unit_task(metrics: pd.DataFrame, task: str, **more) -> pd.DataFrame:
    """The table with rows of a task of units beside those of encoding, of NEDS and linear, at a tenth of their score."""
    rows = metrics[(metrics["target"] == "spikes") & (metrics["inputs"] == "wheel_speed+choice")]
    own = rows.assign(task=task, inputs="spikes+wheel_speed+choice", value=rows["value"] / 10, **more)
    return pd.concat([metrics, own], ignore_index=True)


def test_co_smoothing_has_a_panel_and_a_column_of_its_own_and_leaves_encoding_alone():
    metrics = made_up_metrics()
    both = with_unit_task(metrics, "co_smoothing_with_behaviour")
    figure, plotted = metrics_figure(both, MODALITIES)
    titles = [" ".join(ax.get_title(loc="left").split()) for ax in figure.axes]
    assert titles[0].startswith("spikes: encoding") and titles[1].startswith("spikes: co-smoothing with behaviour")
    _, without = metrics_figure(metrics, MODALITIES)
    encoded = plotted[plotted["target"] == "spikes"]
    np.testing.assert_allclose(encoded["value"], without.loc[without["target"] == "spikes", "value"])
    own = plotted[plotted["target"] == "spikes-co_smoothing_with_behaviour"]
    ours = encoded[encoded["model"].isin(["neds-mm", "linear"])]
    np.testing.assert_allclose(own["value"], ours["value"] / 10)

    table = benchmark_table(both, MODALITIES, models=["linear", "neds-mm-scratch"])
    columns = ["spikes: encoding: bits per spike", "spikes: co-smoothing with behaviour: bits per spike"]
    assert table.columns[:2] == columns and "Not trained" not in table.caption
    means = table.entries.pivot(index="row", columns="column", values="mean")[columns]
    np.testing.assert_allclose(means[columns[1]], means[columns[0]] / 10)
    inputs = encoding_inputs_table(both, MODALITIES, models=["neds-mm-scratch"])
    alone = encoding_inputs_table(metrics, MODALITIES, models=["neds-mm-scratch"])
    pd.testing.assert_frame_equal(inputs.entries, alone.entries)


def test_models_that_were_not_trained_for_a_task_are_named():
    metrics = with_unit_task(made_up_metrics(), "forecasting")
    metrics["trained_for"] = (metrics["task"] != "forecasting") | (metrics["training"] != "scratch")
    sentence = "Not trained for the task: NEDS single-session (spikes: forecasting)."
    assert sentence in benchmark_table(metrics, MODALITIES, models=["neds-mm-scratch", "linear"]).caption
    assert "Not trained" not in benchmark_table(metrics, MODALITIES, models=["neds-mm-finetuned", "linear"]).caption
    figure, _ = metrics_figure(metrics, MODALITIES)
    assert sentence in " ".join(figure.get_suptitle().split())


def test_chance_is_of_the_classes_present_and_a_session_of_one_class_is_said_to_have_no_score():
    """Choices of both kinds in a, three kinds of blocks in b, and a single kind in c."""
    scores = {"a": (0.9, 2), "b": (0.6, 3), "c": (np.nan, 1)}
    metrics = pd.concat(
        rows_of("linear", None, {eid: value}, target="choice", n_classes=number)
        for eid, (value, number) in scores.items()
    )
    fig, plotted = metrics_figure(metrics, MODALITIES)
    assert plotted["chance"].unique() == pytest.approx([np.mean([1 / 2, 1 / 3])])
    assert plotted["eid"].tolist() == ["a", "b"] and plotted["n_sessions"].unique() == [2]
    assert "Without a score: choice of 1 session (one class in the test trials)." in said_above(fig)


@pytest.mark.parametrize("paper", [None, read_paper_numbers()], ids=["own", "paper"])
def test_a_target_without_any_score_is_named_in_figure_and_tables(paper):
    classes = [
        rows_of("linear", None, {"a": value, "b": value}, target="choice", metric=metric, n_classes=1)
        for metric, value in (("accuracy", 1.0), ("balanced_accuracy", np.nan), ("calibration_error", np.nan))
    ]
    metrics = pd.concat([rows_of("linear", None, {"a": 0.1, "b": 0.2}), *classes], ignore_index=True)
    figure, plotted = metrics_figure(metrics, MODALITIES, paper=paper)
    assert set(plotted["target"]) == {"spikes"} and len(figure.axes) == 1
    unscored = "Without a score: choice of 2 sessions (one class in the test trials)."
    assert f"{unscored} No panel, as no session has a score: choice." in said_above(figure)
    benchmark = benchmark_table(metrics, MODALITIES, models=["linear"]).caption
    assert unscored in benchmark and "No number: the model does not predict this, or has no score" in benchmark
    assert unscored in further_scores_table(metrics, MODALITIES, models=["linear"]).caption
    pair = metrics.assign(model="glm")
    gain, _ = pairs_figure(pd.concat([metrics, pair]), MODALITIES, rows=[[("linear", "glm")]])
    assert unscored in said_above(gain)


def test_full_tables_and_figures_say_nothing_of_missing_scores():
    metrics = made_up_metrics()
    metrics = metrics[metrics["target"] == "spikes"]
    spikes = resolve(["spikes"], {})
    assert "No " not in said_above(metrics_figure(metrics, spikes)[0])
    caption = benchmark_table(metrics, spikes, models=["linear", "neds-mm-scratch"]).caption
    assert caption == "Mean ± s.e.m. over 3 test sessions."


@pytest.mark.parametrize("tabulated", [benchmark_table, further_scores_table])
def test_tables_explain_the_tasks_of_their_columns(tabulated):
    co_smoothing = "Co-smoothing: held-out units are predicted from the other units"
    forecasting = "Forecasting: the last bins are predicted from the bins before"
    metrics = made_up_metrics()
    for task, sentences in (("co_smoothing", [co_smoothing]), ("forecasting_with_behaviour", [forecasting])):
        caption = tabulated(with_unit_task(metrics, task), MODALITIES, models=["linear", "neds-mm-scratch"]).caption
        assert [sentence for sentence in (co_smoothing, forecasting) if sentence in caption] == sentences
    assert co_smoothing not in tabulated(metrics, MODALITIES, models=["linear"]).caption


def test_titles_end_before_the_figure_does():
    metrics = made_up_metrics()
    for task in UNIT_TASKS:
        metrics = with_unit_task(metrics, task)
    metrics = metrics.drop_duplicates(["eid", "model", "training", "seed", "target", "task", "inputs"])
    figure, _ = metrics_figure(metrics, MODALITIES)
    FigureCanvasAgg(figure).draw()
    width = figure.bbox.width
    ends = [title.get_window_extent().x1 for ax in figure.axes for title in ax.findobj(Text) if title.get_text()]
    assert max(ends) < width - 0.03 * figure.dpi


def test_models_are_called_as_in_the_paper():
    titles = {
        "rrr-multi": "RRR multi-session",
        "neds-encoding-scratch-seed1": "unimodal NEDS single-session",
        "neds-mm-scratch-seed0": "NEDS single-session",
        "neds-mm-finetuned-all": "NEDS multi-session",
        "neds-mm-finetuned-repeated-site-10": "NEDS multi-session (repeated-site-10)",
        "neds-mm-finetuned-two-50trials": "NEDS multi-session (two, 50 trials)",
        "my-model-seed3": "my-model",
    }
    assert {label: model_title(label) for label in titles} == titles


def test_gain_is_the_paired_difference_with_its_error_and_test():
    other = np.array([0.1, 0.2, 0.2, 0.4, 0.5, 0.5, -0.1])
    ours = np.array([0.2, 0.2, 0.3, 0.5, 0.45, 0.7, 0.1])
    found = compare(ours, other)
    assert found.n_sessions == 7, "no session is left out, whatever its score"
    assert found.difference == pytest.approx(np.mean(ours - other))
    assert found.difference_sem == pytest.approx(np.std(ours - other, ddof=1) / np.sqrt(7))
    assert found.wilcoxon_p == pytest.approx(wilcoxon(ours, other).pvalue)
    assert np.isnan(compare(ours[:5], other[:5]).wilcoxon_p), "five pairs cannot be significant"
    assert np.isnan(compare(ours, ours).wilcoxon_p)
    assert np.isnan(compare(ours[:1], other[:1]).difference_sem)


def test_ratio_is_of_means_that_lie_well_above_zero():
    scores = np.array([0.2, 0.25, 0.3, 0.25])
    assert compare(1.1 * scores, scores).relative_gain == pytest.approx(0.1)
    near_zero = np.array([-0.01, 0.02, 0.001, 0.0])
    for ours, other in ((scores, near_zero), (near_zero, scores), (scores[:2], scores[2:])):
        assert np.isnan(compare(ours, other).relative_gain)


def test_what_rounds_to_zero_has_no_sign(tmp_path):
    assert (signed(-0.3, 0), signed(0.3, 0), signed(-0.6, 0), rounded(-0.001, 2)) == ("0", "0", "−1", "0.00")
    single = rows_of("neds-mm", "scratch", {"a": 0.20, "b": 0.21, "c": 0.2})
    multi = rows_of("neds-mm", "finetuned-all", {"a": 0.1999, "b": 0.2099, "c": 0.1999})
    metrics = pd.concat([single, multi])
    fig, _ = pairs_figure(metrics, MODALITIES, rows=[[("neds-mm-finetuned-all", "neds-mm-scratch")]])
    title = fig.axes[0].get_title(loc="left")
    assert "Δ 0.000 ± 0.000" in title and "n = 3 (0 %)" in title
    below = rows_of("linear", None, {"a": -0.001, "b": -0.002})
    write_table(benchmark_table(below, MODALITIES, models=["linear"]), tmp_path / "benchmark")
    assert "-0.00" not in (tmp_path / "benchmark.md").read_text()


def test_pairs_csv_holds_the_sessions_that_both_models_have_and_the_papers_numbers(tmp_path):
    single = rows_of("neds-mm", "scratch", {"a": 0.1, "b": 0.2, "c": 0.3})
    multi = pd.concat(
        [rows_of("neds-mm", "finetuned-all", {"a": v, "b": 0.3}, seed=s) for s, v in enumerate((0.1, 0.2))]
    )
    rows = [[("neds-mm-finetuned-all", "neds-mm-scratch")]]
    metrics = pd.concat([single, multi])
    draw(lambda: pairs_figure(metrics, MODALITIES, rows=rows, paper=read_paper_numbers()), tmp_path / "gain")
    plotted = pd.read_csv(tmp_path / "gain.csv")
    assert plotted["eid"].tolist() == ["a", "b"]
    np.testing.assert_allclose(plotted["value_ours"], [0.15, 0.3])
    assert plotted["difference"].unique() == pytest.approx([np.mean([0.05, 0.1])])
    assert (plotted["paper_ours"].iloc[0], plotted["paper_other"].iloc[0]) == (0.27, 0.2)
    with pytest.raises(NothingToDraw):
        pairs_figure(metrics, MODALITIES, rows=[[("neds-mm-finetuned-all", "rrr-multi")]])


def test_papers_numbers_are_not_drawn_between_two_models_of_one_family():
    metrics = pd.concat(rows_of("neds-mm", f"finetuned-{name}", {"a": 0.1, "b": 0.2}) for name in ("all", "two"))
    rows = [[("neds-mm-finetuned-all", "neds-mm-finetuned-two")]]
    _, plotted = pairs_figure(metrics, MODALITIES, rows=rows, paper=read_paper_numbers())
    assert not {"paper_ours", "paper_other"} & set(plotted)


def test_unimodal_models_share_a_row_of_scatters():
    metrics = pd.concat(
        rows_of(f"neds-{mode}", training, {"a": 0.1, "b": 0.2}, target=target)
        for mode, target in (("encoding", "spikes"), ("decoding", "wheel_speed"))
        for training in ("scratch", "finetuned-all")
    )
    pairs = [(f"neds-{mode}-finetuned-all", f"neds-{mode}-scratch") for mode in ("encoding", "decoding")]
    _, plotted = pairs_figure(metrics, MODALITIES, rows=[pairs])
    assert plotted.groupby("target")["ours"].first().to_dict() == {
        "spikes": "neds-encoding-finetuned-all",
        "wheel_speed": "neds-decoding-finetuned-all",
    }


def test_papers_numbers_stand_beside_the_same_score_of_the_same_model():
    spikes = rows_of("neds-mm", "finetuned-all", {"a": 0.1, "b": 0.2})
    choice = rows_of("neds-mm", "finetuned-all", {"a": 0.7, "b": 0.9}, target="choice")
    metrics = pd.concat([spikes, choice, choice.assign(metric="accuracy", value=0.6)])
    _, plotted = metrics_figure(metrics, MODALITIES, paper=read_paper_numbers())
    drawn = plotted.groupby("target").first()
    assert drawn["metric"].to_dict() == {"spikes": "bits_per_spike", "choice": "accuracy"}
    assert drawn["paper_mean"].to_dict() == {"spikes": 0.27, "choice": 0.91}
    assert drawn["chance"].isna().all(), "chance of plain accuracy depends on how frequent the classes are"
    _, plotted = metrics_figure(metrics, MODALITIES)
    assert set(plotted["metric"]) == {"bits_per_spike", "balanced_accuracy"} and plotted["paper_mean"].isna().all()


def test_pretraining_size_counts_the_usable_sessions():
    metrics = pd.concat(
        rows_of("neds-mm", way, {"a": v, "b": v + 0.2})
        for way, v in (("scratch", 0.1), ("finetuned-two", 0.2), ("finetuned-all", 0.3))
    )
    sessions = pd.DataFrame({"eid": ["t1", "t2", "t3", "a", "b"], "usable": [True, False, True, True, True]})
    labels = {"": "neds-mm-scratch", "two": "neds-mm-finetuned-two", "all": "neds-mm-finetuned-all"}
    sets = {"two": ["t1", "t2"], "all": ["t1", "t2", "t3"]}
    fig, plotted = pretraining_size_figure(metrics, sessions, MODALITIES, sets=sets, curves=[labels])
    assert "n = 2 sessions" in fig.axes[0].get_title(loc="left")
    fig, _ = pretraining_size_figure(metrics[metrics.eid == "a"], sessions, MODALITIES, sets=sets, curves=[labels])
    assert fig.axes[0].get_title(loc="left").endswith("n = 1 session")
    by_set = plotted.groupby("pretraining_set").first()
    assert by_set["n_pretraining_sessions"].to_dict() == {"": 0, "two": 1, "all": 2}
    assert by_set["mean"].to_dict() == pytest.approx({"": 0.2, "two": 0.3, "all": 0.4})


def test_data_efficiency_counts_the_trials_that_a_session_has():
    metrics = pd.concat(
        rows_of("neds-mm", way, {"a": 0.1, "b": 0.2}) for way in ("scratch-30trials", "scratch-100trials", "scratch")
    )
    sessions = pd.DataFrame({"eid": ["a", "b"], "n_train": [80, 200]})
    curve = {"30": "neds-mm-scratch-30trials", "100": "neds-mm-scratch-100trials", "all": "neds-mm-scratch"}
    _, plotted = data_efficiency_figure(metrics, sessions, MODALITIES, curves=[curve])
    trials = plotted.pivot(index="train_trials", columns="eid", values="n_trials")
    assert trials.loc["30"].tolist() == [30, 30]
    assert trials.loc["100"].tolist() == [80, 100]
    assert trials.loc["all"].tolist() == [80, 200]


def test_benchmark_table_has_the_means_in_three_forms(tmp_path):
    encoding = rows_of("neds-encoding", "scratch", {"a": 0.1, "b": 0.3})
    decoding = rows_of("neds-decoding", "scratch", {"a": 0.5}, target="wheel_speed")
    linear = rows_of("linear", None, {"a": 0.2, "b": 0.2}, target="wheel_speed")
    unused = rows_of("neds-mm", "scratch-30trials", {"a": 0.9})
    metrics = pd.concat([encoding, decoding, linear, unused])
    models = ["linear", "neds-encoding-scratch", "neds-decoding-scratch"]
    table = benchmark_table(metrics, MODALITIES, models=models, paper=read_paper_numbers())
    write_table(table, tmp_path / "benchmark")
    numbers = pd.read_csv(tmp_path / "benchmark.csv").set_index("model")
    assert list(numbers.index[:2]) == ["linear", "unimodal NEDS single-session"], "one row for both unimodal models"
    row = numbers.loc["unimodal NEDS single-session"]
    assert row["spikes: bits per spike"] == pytest.approx(0.2)
    assert row["spikes: bits per spike, s.e.m."] == pytest.approx(0.1)
    assert (row["spikes: bits per spike, n"], row["wheel speed: R², n"]) == (2, 1)
    assert numbers.loc["NEDS multi-session (paper)", "choice: accuracy"] == 0.91
    markdown = re.sub(" +", " ", (tmp_path / "benchmark.md").read_text())
    assert "| unimodal NEDS single-session | 0.20 ± 0.10 | 0.50 | – | – |" in markdown
    latex = (tmp_path / "benchmark.tex").read_text()
    assert r"unimodal NEDS single-session & 0.20 $\pm$ 0.10 & 0.50 & -- & -- \\" in latex
    assert r"\shortstack{wheel speed\\R$^2$}" in latex


def test_table_of_inputs_has_all_and_each_alone():
    values = {"wheel_speed+choice": 0.3, "wheel_speed": 0.2, "choice": 0.1}
    rows = [rows_of("neds-mm", "scratch", {"a": v, "b": v}, inputs=inputs) for inputs, v in values.items()]
    numbers = encoding_inputs_table(pd.concat(rows), MODALITIES, models=["neds-mm-scratch"]).numbers()
    assert numbers.set_index("input")["NEDS single-session"].to_dict() == {
        "all": 0.3,
        "wheel speed": 0.2,
        "choice": 0.1,
    }


def test_tables_without_a_score_are_empty(tmp_path):
    nothing = made_up_metrics().iloc[:0]
    for table in (benchmark_table, encoding_inputs_table):
        write_table(table(nothing, MODALITIES, models=["linear"]), tmp_path / "table")
        assert pd.read_csv(tmp_path / "table.csv").empty
