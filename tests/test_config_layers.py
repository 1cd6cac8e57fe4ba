"""Several files become one configuration that means what they say, and every value tells where it came from."""

import json
from pathlib import Path

import pytest
import yaml

from neds.config import Loaded, check_config, command_line_values, load_config
from neds.config.show import SHIPPED, configuration_rows, show_config
from neds.errors import UserError
from neds.plan.opened import OpenedPlan
from neds.roster import Session

ROOT = SHIPPED.parent

DEFAULT_OVERRIDES = {
    "pretrain": {"training.epochs": 80},
    "finetuned": {"training.shared_lr": 0.3, "training.weight_decay": 1.0},
}


def loaded(tmp_path: Path, *texts: str, extra: dict | None = None) -> Loaded:
    """What the shipped configuration and files of these texts give, called 1.yaml, 2.yaml, ..."""
    files = [tmp_path / f"{number}.yaml" for number in range(1, len(texts) + 1)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return load_config([SHIPPED, *files], extra=extra)


def epochs(given: Loaded) -> dict[str, int]:
    stages = ("pretrain", "scratch", "finetuned")
    return {stage: given.config.run_settings(stage, "mm").training.epochs for stage in stages}


def test_blocks_are_merged_and_other_mappings_replaced(tmp_path):
    given = loaded(
        tmp_path,
        "download: {lfp: {window_s: 0.5, bands_hz: {low: [2, 10], high: [10, 90]}}}\npretraining_sets: {one: 1, two: 2}",
        "download: {lfp: {bands_hz: {theta: [4, 10]}}, probes: [probe00]}\nmasking: {weights: {encoding: 1, decoding: 1}}\n"
        "training: {loss_weights: {}}\npretraining_sets: {two: 2}",
    ).config
    assert given.download.lfp.window_s == 0.5 and given.download.probes == ["probe00"]
    assert given.download.lfp.bands_hz == {"theta": [4, 10]}
    assert given.masking.weights == {"encoding": 1, "decoding": 1}
    assert given.training.loss_weights == {} and given.training.epochs == 60
    assert given.pretraining_sets == {"two": 2}


def test_a_default_override_gives_way_to_what_the_user_says(tmp_path):
    assert epochs(loaded(tmp_path)) == {"pretrain": 80, "scratch": 60, "finetuned": 60}
    given = loaded(tmp_path, "training: {epochs: 2000}")
    assert epochs(given) == dict.fromkeys(("pretrain", "scratch", "finetuned"), 2000)
    assert given.config.run_settings("finetuned", "mm").training.shared_lr == 0.3
    assert given.config.overrides == {"finetuned": DEFAULT_OVERRIDES["finetuned"]}
    assert given.gave_way == [
        "overrides: pretrain: training.epochs: 80 (config.yaml) gave way to training.epochs of 1.yaml"
    ]
    given = loaded(tmp_path, "training: {shared_lr: 1.0}").config
    assert given.run_settings("finetuned", "mm").training.shared_lr == 1.0
    assert given.run_settings("pretrain", "mm").training.epochs == 80


def test_overrides_of_models_that_nobody_trains_are_lost_in_silence(tmp_path):
    assert loaded(tmp_path, "training: {epochs: 2000}\nregimes: [scratch]").gave_way == []
    assert len(loaded(tmp_path, "overrides: {}\nregimes: [scratch]").gave_way) == 0


def test_overrides_replace_those_before_and_say_so(tmp_path):
    given = loaded(tmp_path, "overrides: {}")
    assert given.config.overrides == {} and len(given.gave_way) == 3
    assert given.gave_way[0].endswith("(config.yaml) gave way to the overrides of 1.yaml; repeat it there to keep it")
    assert epochs(loaded(tmp_path, "overrides: {pretrain: {training.epochs: 5}}"))["pretrain"] == 5
    # The same file says otherwise, whatever the order of its lines; a later file does not.
    both = "overrides: {pretrain: {training.epochs: 5}}\ntraining: {epochs: 7}"
    assert epochs(loaded(tmp_path, both)) == {"pretrain": 5, "scratch": 7, "finetuned": 7}
    assert set(epochs(loaded(tmp_path, both, "training: {epochs: 9}")).values()) == {9}
    assert set(epochs(loaded(tmp_path, both, extra={"training": {"epochs": 9}})).values()) == {9}


@pytest.mark.parametrize(
    ("override", "later"),
    [
        ("masking.weights.across: 0.0", "masking: {weights: {encoding: 1.0, across: 3.0}}"),
        ("masking.weights: {encoding: 1.0}", "masking: {weights: {encoding: 1.0, across: 3.0}}"),
    ],
)
def test_an_override_of_a_part_gives_way_to_the_whole(override, later, tmp_path):
    given = loaded(tmp_path, f"overrides: {{mm: {{{override}}}}}", later).config
    assert given.overrides == {}
    assert given.run_settings("scratch", "mm").masking.weights == {"encoding": 1.0, "across": 3.0}


def test_every_value_tells_where_it_came_from(tmp_path):
    given = loaded(
        tmp_path,
        "training: {lr: 0.01}\ndownload: {lfp: {window_s: 0.5}}\n"
        "overrides: {encoding: {training.lr: 0.02, masking.weights.across: 0.0}}",
        "training: {warmup: 0.2}\ncustom_modalities: {paw: {kind: continuous}}",
        extra={"seeds": [1]},
    )
    wanted = {
        "training.lr": "1.yaml",
        "training.warmup": "2.yaml",
        "training.epochs": "config.yaml",
        "training.patience": "default",
        "download.lfp.window_s": "1.yaml",
        "download.lfp.step_s": "default",
        "custom_modalities": "2.yaml",
        "overrides": "1.yaml",
        "seeds": "--config",
    }
    assert wanted.items() <= given.origins.items()
    encoding = given.run_origins("pretrain", "encoding")
    assert encoding["training.lr"] == encoding["masking.weights"] == "overrides: encoding"
    assert encoding["training.warmup"] == "2.yaml" and given.run_origins("pretrain", "mm")["training.lr"] == "1.yaml"


def test_files_of_one_name_are_told_apart(tmp_path):
    (tmp_path / "config.yaml").write_text("seeds: [3]")
    given = load_config([SHIPPED, tmp_path / "config.yaml"])
    assert given.origins["seeds"] == "config.yaml (file 2)" and given.origins["source"] == "config.yaml (file 1)"


def test_the_shipped_file_says_nothing_but_defaults(tmp_path):
    assert loaded(tmp_path).config == load_config([]).config == check_config({}, base=None)[0]


@pytest.mark.parametrize("name", ["many_sessions", "paper_figures"])
def test_examples_can_be_used(name):
    given = load_config([SHIPPED, SHIPPED.parent / f"docs/examples/{name}.yaml"])
    assert given.config.run_settings("finetuned", "mm").training.shared_lr == 0.3


def test_the_example_for_a_gpu_is_of_the_papers_size():
    settings = load_config([SHIPPED, SHIPPED.parent / "docs/examples/gpu.yaml"]).config.run_settings("scratch", "mm")
    assert settings.model == settings.model.model_copy(update={"dim": 256, "layers": 5, "heads": 8, "mlp": 512})
    assert settings.training.lr == 5e-4


def test_text_that_is_shown_is_the_configuration_itself(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "training: {epochs: 7}\nmodel: {layers: 5}\nmodes: [mm, encoding]\noverrides: {pretrain: {model.layers: 22}}\n"
    )
    text = show_config(configfile=[tmp_path / "mine.yaml"])
    (tmp_path / "shown.yaml").write_text(text)
    assert load_config([tmp_path / "shown.yaml"]).config == load_config([SHIPPED, tmp_path / "mine.yaml"]).config
    by_key = {
        line.split(":")[0].strip(): line.split("#")[1].strip()
        for line in text.split("\n")
        if ": " in line and line[0] != "#"
    }
    assert (by_key["epochs"], by_key["dim"], by_key["patience"]) == ("mine.yaml", "config.yaml", "default")
    assert "# finetuned encoding: model.layers: 22  # overrides: pretrain" in text
    assert "training.shared_lr: 0.3 (config.yaml) gave way to the overrides of mine.yaml" in text


def test_programs_get_the_whole_tree_of_every_stage_and_mode(tmp_path):
    (tmp_path / "mine.yaml").write_text("overrides: {scratch encoding: {training.lr: 0.5}}")
    shown = json.loads(show_config(configfile=[tmp_path / "mine.yaml"], as_json=True))
    config = load_config([SHIPPED, tmp_path / "mine.yaml"]).config
    assert shown["config"] == config.model_dump(mode="json")
    assert shown["origins"]["overrides"] == "mine.yaml"
    for stage, modes in shown["stages"].items():
        for mode, settings in modes.items():
            assert settings == config.run_settings(stage, mode).model_dump(mode="json")
    assert shown["stages"]["scratch"]["encoding"]["training"]["lr"] == 0.5
    assert shown["stage_origins"]["scratch"]["encoding"]["training.lr"] == "overrides: scratch encoding"


def test_rows_of_the_report_say_what_differs_by_stage(tmp_path):
    rows = {key: (value, origin) for key, value, origin in configuration_rows(loaded(tmp_path, "regimes: [finetuned]"))}
    assert rows["training.epochs"] == ("60", "config.yaml")
    assert rows["training.epochs (pretrain mm)"] == ("80", "overrides: pretrain")
    assert rows["regimes"] == ("[finetuned]", "1.yaml")


def test_command_line_values_are_read_as_yaml():
    given = command_line_values(["results=x/", "seeds=[1, 2]", "training={'lr': 1.0e-3, patience: null}", "sessions="])
    assert given == {"results": "x/", "seeds": [1, 2], "training": {"lr": 1e-3, "patience": None}, "sessions": None}
    with pytest.raises(UserError, match="--config seeds: is given twice"):
        command_line_values(["seeds=[1]", "seeds=[2]"])
    with pytest.raises(UserError, match="--config seeds, line 1: cannot be read as YAML"):
        command_line_values(["seeds=[1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [1]\nmodel: {dim: 8}\nseeds: [2]", "key seeds is given twice, in lines 1 and 3; keep one"),
        ("model:\n  dim: 8\n  mlp: 8\n  dim: 16", "key model.dim is given twice, in lines 2 and 4; keep one"),
        (
            "tune: {space: {training.lr: {choice: [1.0], choice: [2.0]}}}",
            "key tune.space.training.lr.choice is given twice",
        ),
        ("- seeds", "holds no keys; a configuration file is a mapping"),
        ("seeds", "holds no keys; a configuration file is a mapping"),
        ("seeds: [1", "line 1: cannot be read as YAML"),
        ("a: 1\nb:\tc: 2", "line 2: cannot be read as YAML"),
        ("a: 1\n---\nb: 1", "cannot be read as YAML"),
        ("results: !!python/object/apply:os.system [ls]", "line 1: the tag"),
        ("results: !here x", "line 1: the tag !here is not read"),
        ("a: &a [1]\nb: *a", "line 1: anchors (&, *) are not read"),
        ("? [a]\n: 1", "cannot be read as YAML"),
        ("a: \x07", "cannot be read as YAML"),
        ("a: " + "[" * 900 + "]" * 900, "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_not_read_as_it_stands_is_refused_in_one_line(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_config([tmp_path / "mine.yaml"])
    assert message in str(caught.value) and str(caught.value).startswith(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_absent_are_all_named(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError) as caught:
        load_config([tmp_path / "none.yaml", tmp_path / "binary.yaml", tmp_path])
    lines = str(caught.value).split("\n")
    assert "none.yaml: no such configuration file" in lines[0] and "no readable text file" in lines[1]
    assert len(lines) == 3 and "no readable text file" in lines[2]


def test_empty_files_dates_and_json_are_read(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "day.yaml").write_text("\ufeffdownload: {revision_before: 2024-05-01}", encoding="utf-8")
    (tmp_path / "mine.json").write_text('{"training": {"lr": 1e-4}}')
    given = load_config([tmp_path / "empty.yaml", tmp_path / "day.yaml", tmp_path / "mine.json"]).config
    assert given.download.revision_before == "2024-05-01" and given.training.lr == 1e-4
    (tmp_path / "mine.json").write_text('{"seeds": [1], "seeds": [2]}')
    with pytest.raises(UserError, match=r"mine.json: key seeds is given twice"):
        load_config([tmp_path / "mine.json"])


def test_faults_of_several_files_are_found_together(tmp_path):
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, "training: {epoch: 3}", "seeds: [0, 0]", extra={"results": ""})
    assert len(str(caught.value).split("\n")) == 3


def test_the_shipped_file_is_short_and_valid_yaml():
    text = SHIPPED.read_text()
    assert text.count("\n") < 80 and yaml.safe_load(text)["overrides"] == DEFAULT_OVERRIDES


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"partition": {"split_intervals": {"train": ["a"]}}},
            "partition.split_intervals (given): is of split file, and",
        ),
        ({"partition": {"split_blocks": 5}}, "partition.split_blocks (given): is of split blocks, and split is random"),
        ({"nwb": {"series": {"wheel_speed": "x"}}}, "nwb.series (given): is not used with source synthetic"),
        ({"arrays": {"bin_s": 0.1}}, "arrays.bin_s (given): is not used with source synthetic"),
        ({"download": {"pause_s": 2.0}}, "download.pause_s (given): is not used with source synthetic"),
        ({"download": {"lfp": {"window_s": 0.5}}}, "download.lfp.window_s (given): lfp is not among the modalities"),
        (
            {"regimes": ["scratch"], "training": {"sampling": "sessions"}},
            "training.sampling (given): no network is pretrained",
        ),
        (
            {"regimes": ["scratch"], "overrides": {"finetuned mm": {"training.lr": 0.1}}},
            "overrides.finetuned mm (given): regimes has no finetuned",
        ),
        ({"overrides": {"encoding": {"training.lr": 0.1}}}, "overrides.encoding (given): modes has no encoding"),
        ({"pretraining_sets": {"two": 2}}, "pretraining_sets.two (given): finetune_from does not name it"),
        ({"custom_modalities": {"x": {"kind": "scalar"}}}, "custom_modalities.x (given): modalities does not name it"),
        (
            {
                "baselines": ["psth", "linear"],
                "modalities": ["spikes", "wheel_speed"],
                "partition": {"align": "none", "window_start_s": 0.0, "split": "blocks"},
            },
            "baselines: psth (given): it needs trials of task conditions",
        ),
        ({"masking": {"future_ratio": 0.2}}, "masking.future_ratio (given): masking.weights has no future"),
        ({"evaluation": {"held_out_share": 0.5}}, "evaluation.held_out_share (given): there is no co-smoothing"),
        ({"rivals": {"poyo": {"dim": 32}}}, "rivals.poyo.dim (given): baselines has no poyo"),
        ({"tune": {"n_trials": 3}}, "tune.n_trials (given): tune.stages has neither pretrain nor scratch"),
        ({"regions": {"projection": "pca", "neighbors": 5}}, "regions.neighbors (given): is of umap"),
        ({"ensembles": False}, "ensembles (given): there is one seed"),
    ],
)
def test_a_key_that_has_no_effect_is_told_before_anything_runs(values, told, tmp_path):
    (tmp_path / "given").write_text(yaml.safe_dump(values))
    loaded = load_config([tmp_path / "given"])
    assert any(line.replace(" has no effect:", ":").startswith(told) for line in loaded.unused), loaded.unused
    assert any(line in show_config(configfile=[tmp_path / "given"]) for line in loaded.unused)


@pytest.mark.parametrize(
    "values",
    [
        {"partition": {"split": "blocks", "split_blocks": 5}},
        {
            "masking": {"weights": {"future": 1.0, "encoding": 1.0}, "future_ratio": 0.2},
            "evaluation": {"forecast_ratio": 0.2},
        },
        {"ablations": {"variants": {"units": {"masking.weights": {"units": 1.0}}}}, "masking": {"unit_ratio": 0.2}},
        {"regimes": ["finetuned"], "overrides": {"pretrain": {"model.layers": 3}}},
        {"evaluation": {"tasks": ["co_smoothing"], "held_out_seed": 3}},
        {"seeds": [0, 1], "ensembles": False},
        {"regimes": ["scratch"], "training": {"epochs": 3}},
        {"regimes": ["scratch"], "training": {"shared_lr": 0.5}},
    ],
)
def test_keys_that_have_an_effect_are_not_told(values, tmp_path):
    (tmp_path / "given").write_text(yaml.safe_dump(values))
    assert load_config([ROOT / "config.yaml", tmp_path / "given"]).unused == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"evaluation": {"forecast_ratio": 0.2}}, ["0.1 (scratch, finetuned)"]),
        ({"evaluation": {"forecast_ratio": 0.2}, "regimes": ["scratch"]}, ["0.1 (scratch)"]),
        ({"evaluation": {"forecast_ratio": 0.2}, "overrides": {"scratch": {"masking.future_ratio": 0.2}}},
         ["0.1 (finetuned)"]),
        ({"evaluation": {"forecast_ratio": 0.2}, "masking": {"future_ratio": 0.2}}, []),
        ({"evaluation": {"forecast_ratio": 0.2, "tasks": []}}, []),
        ({"evaluation": {"forecast_ratio": 0.2}, "modes": ["encoding"]}, []),
    ],
)  # fmt: skip
def test_another_forecast_than_models_are_trained_for_is_told(values, told, tmp_path):
    values = values | {"masking": {"weights": {"future": 1.0, "encoding": 1.0}} | values.get("masking", {})}
    (tmp_path / "given").write_text(yaml.safe_dump(values))
    given = load_config([tmp_path / "given"])
    begins = [f"evaluation.forecast_ratio is 0.2, and masking.future_ratio {each}: models are trained" for each in told]
    assert len(given.doubtful) == len(told)
    assert all(line.startswith(begin) for line, begin in zip(given.doubtful, begins, strict=True)), given.doubtful
    shown = show_config(configfile=[tmp_path / "given"])
    assert all(line in shown for line in given.doubtful) and ("probably not meant so" in shown) == bool(told)
    opened = OpenedPlan(given, is_main=True)
    opened.stale_files()
    assert opened.messages()[: len(told)] == given.doubtful


@pytest.mark.parametrize("example", sorted((ROOT / "docs/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_hold_no_key_without_effect_and_no_doubtful_value(example, monkeypatch):
    sheet = [*(Session(f"a{number}", "train") for number in range(10)), Session("b", "test")]
    monkeypatch.setattr("neds.config.load.read_sheet", lambda path, source: (sheet, []))
    loaded = load_config([ROOT / "config.yaml", example], base=ROOT)
    assert loaded.unused == loaded.doubtful == []
