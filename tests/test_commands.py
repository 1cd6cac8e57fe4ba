"""`neds COMMAND`: help, options and mistakes; and what a job leaves behind."""

import inspect
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from neds import __version__
from neds.commands.cli import function_of, main
from neds.commands.code import command_code
from neds.commands.table import GROUPS, all_commands
from neds.evaluation.results import METRIC_COLUMNS
from neds.files.aligned import write_aligned
from neds.modalities import PAPER
from neds.provenance import content_digest, metadata_path, read_stamp
from tests.aligned_sessions import make_session

MODALITIES = [modality.model_dump() for modality in PAPER.values()]


@pytest.fixture
def neds(monkeypatch, capsys):
    """Run `neds ...`; returns exit status, or the error, and all that it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["neds", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return run


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def write_metrics(path: Path) -> Path:
    known = dict.fromkeys(METRIC_COLUMNS, "") | {"model": "psth", "target": "choice", "seed": 0, "n_test_trials": 3}
    pd.DataFrame([known | {"metric": "accuracy", "value": 0.5}]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", all_commands())
def test_help_names_every_option_and_says_what_it_is(name, neds):
    status, said = neds(name, "--help")
    assert status == 0 and said.startswith(f"Usage: neds {name}")
    function = function_of(all_commands()[name])
    documented = inspect.getdoc(function)
    for option in inspect.signature(function).parameters:
        assert f"--{option.removeprefix('as_').replace('_', '-')}" in said or option == "arguments"
        assert f"\n    {option}: " in documented, option


def test_help_of_all_groups_the_commands(neds):
    _, said = neds("--help")
    places = [said.index(f"─ {group} ─") for group in GROUPS]
    assert places == sorted(places)
    assert all(f" {name} " in said for name in all_commands())
    assert neds("--version") == (0, f"{__version__}\n")
    assert neds()[1] == said


def test_help_of_all_and_of_a_light_command_import_nothing_heavy():
    for arguments in (["--help"], ["size", "--help"], ["sessions", "--help"]):
        command = [sys.executable, "-X", "importtime", "-m", "workflow_scripts", *arguments]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
        imported = {line.rpartition("|")[2].strip() for line in lines}
        assert not imported & {"torch", "numpy", "pandas", "h5py", "matplotlib", "ray", "one"}, arguments


@pytest.mark.parametrize(
    ("settings", "complaints"),
    [
        ("{}", ["--settings, modalities: is missing"]),
        (
            json.dumps({"modalities": [], "partition": {"bin_s": "x", "min_unit": 3}}),
            ["--settings, partition.bin_s: ", "--settings, partition.min_unit: "],
        ),
        ('{"modalities": ', ["--settings: Expecting value"]),
        ("absent.yaml", ["--settings: no file absent.yaml; give JSON text or the path of a YAML file"]),
        ("[1]", ["--settings: no file [1]"]),
    ],
)
def test_each_fault_of_the_settings_is_one_line(settings, complaints, neds, tmp_path):
    error, said = neds("partition", "--raw", "raw.h5", "--output", tmp_path / "a.h5", "--settings", settings)
    lines = error.removeprefix("error: ").splitlines()
    assert len(lines) == len(complaints), lines
    assert all(line.startswith(start) for line, start in zip(lines, complaints, strict=True)), lines
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["partitoin"], 'Did you mean "partition"?'),
        (["metrics-table", "--metrics", "a.csv", "--ouput", "b.csv"], "--ouput"),
        (["metrics-table", "--metrics", "a.csv"], "--output is required"),
        (["train-together", "--cpus", "x"], 'Invalid value for --cpus: unable to convert "x" into int'),
        (["baseline", "--name", "mean"], 'Choose from: "psth"'),
        (["left-out", "--output", "a.csv", "b.csv"], "b.csv"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(arguments, complaint, neds):
    status, said = neds(*arguments)
    assert status == 2
    error, hint = said.splitlines()
    assert error.startswith("error: ") and complaint in error
    assert hint.endswith("--help explains")


def test_settings_may_be_a_file_and_names_may_have_underscores(neds, tmp_path):
    (tmp_path / "mine.yaml").write_text("rows: [[a.b, '1', default]]\n")
    status, _ = neds("configuration_table", "--settings", tmp_path / "mine.yaml", "--output", tmp_path / "c.csv")
    assert status == 0
    assert (tmp_path / "c.csv").read_text() == "key,value,origin\na.b,1,default\n"


def test_values_may_begin_with_a_dash(neds, tmp_path):
    status, _ = neds("left-out", "--messages", "-", "-x is left out", "--output", tmp_path / "left_out.txt")
    assert status == 0
    assert (tmp_path / "left_out.txt").read_text().startswith("-\n-x is left out\n")
    error, _ = neds("import-arrays", "--arrays", tmp_path, "--eid", "-1", "--output", "x", "--settings", "{}")
    assert error == "error: --settings, modalities: is missing"


def test_training_together_passes_its_other_options_on(neds, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execvp", lambda program, command: started.append(command))
    status, _ = neds("train-together", "--cpus", 2, "--aligned", "a", "b", "--processes", 1, "--description", "-x")
    assert status == 0
    assert started == [
        [sys.executable, "-m", "workflow_scripts", "train", "--aligned", "a", "b", "--description", "-x"]
    ]


def test_completion_knows_the_options_of_every_command(neds):
    status, said = neds("completion", "--shell", "bash")
    assert status == 0
    assert "metrics-table" in said and "--trials-csv" in said


def test_a_job_runs_only_the_code_that_was_planned(neds, tmp_path):
    metrics, output = write_metrics(tmp_path / "m.csv"), tmp_path / "all.csv"
    arguments = ["metrics-table", "--metrics", metrics, "--output", output, "--planned"]
    error, _ = neds(*arguments, "0" * 16)
    assert error == (
        "error: the code of `metrics-table` is not that which this workflow was planned with (it was edited meanwhile); "
        "start snakemake again"
    )
    assert not output.exists()
    assert neds(*arguments, command_code(all_commands()["metrics-table"], {}))[0] == 0
    assert output.exists()


def test_every_output_says_what_made_it(neds, tmp_path):
    write_aligned(tmp_path / "s.h5", make_session())
    outputs = {name: tmp_path / name for name in ("metrics.csv", "units.parquet", "predictions.h5")}
    options = [part for name, path in outputs.items() for part in (f"--{name.split('.')[0]}", path)]
    assert neds("baseline", "--name", "psth", "--aligned", tmp_path / "s.h5", *options)[0] == 0
    assert files_in(tmp_path) == {"s.h5", *outputs}
    stamps = {name: read_stamp(path) for name, path in outputs.items()}
    assert stamps["metrics.csv"] is None, "a CSV holds none"
    for name in ("units.parquet", "predictions.h5"):
        stamp = stamps[name]
        assert (stamp.command, stamp.output, stamp.values) == ("baseline", name.split(".")[0], {"name": "psth"})
        assert stamp.code == command_code(all_commands()["baseline"], {"name": "psth"})
        assert stamp.inputs["aligned"][0].content == content_digest(tmp_path / "s.h5")

    assert neds("metrics-table", "--metrics", outputs["metrics.csv"], "--output", tmp_path / "all.csv")[0] == 0
    assert metadata_path(tmp_path / "all.csv").exists()
    assert read_stamp(tmp_path / "all.csv").inputs["metrics"][0].content == content_digest(outputs["metrics.csv"])

    page = tmp_path / "all.html"
    assert neds("table-page", "--table", tmp_path / "all.csv", "--title", "t", "--output", page)[0] == 0
    assert read_stamp(page).inputs["table"][0].identity == read_stamp(tmp_path / "all.csv").identity


def test_a_result_has_one_identity_wherever_it_lies(neds, tmp_path):
    identities = []
    for folder in ("one", "a/b"):
        here = tmp_path / folder
        here.mkdir(parents=True)
        neds("metrics-table", "--metrics", write_metrics(here / "m.csv"), "--output", here / "all.csv")
        identities.append(read_stamp(here / "all.csv").identity)
    assert identities[0] == identities[1]


def test_a_job_that_fails_leaves_what_was_there_and_no_temporary_file(neds, tmp_path):
    output = tmp_path / "all.csv"
    output.write_text("of an earlier run")
    (tmp_path / "m.csv").write_text("eid,subj")
    error, _ = neds("metrics-table", "--metrics", tmp_path / "m.csv", "--output", output)
    assert error.startswith(f"error: {tmp_path / 'm.csv'}: damaged")
    assert files_in(tmp_path) == {"all.csv", "m.csv"}
    assert output.read_text() == "of an earlier run"


def test_a_full_disk_is_told_of_the_file_that_was_to_be_written(tmp_path):
    metrics = write_metrics(tmp_path / "m.csv")
    settings = json.dumps({"modalities": MODALITIES})
    command = [sys.executable, "-m", "workflow_scripts", "figure-metrics", "--metrics", metrics, "--settings", settings]
    ended = subprocess.run(
        [*command, "--output", tmp_path / "figures" / "v1.2"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/figures/v1.2.pdf: cannot be written, no space")
    assert files_in(tmp_path) == {"m.csv"}


def test_numpy_says_only_how_much_it_wrote_to_a_full_disk(tmp_path):
    """Into a file whose size is limited, which numpy tells as it tells a full disk."""
    write = (
        "import sys, signal, pathlib, numpy as np; from neds.files.atomic import replacing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with replacing(pathlib.Path(sys.argv[1])) as path, open(path, 'wb', buffering=0) as file:\n"
        "    np.arange(26073).tofile(file)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", write, tmp_path / "a.npy"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert "26073 requested and" in ended.stderr, "what numpy says"
    assert ended.stderr.splitlines()[-1].startswith(
        f"neds.errors.UserError: {tmp_path}/a.npy: cannot be written, no space"
    )


@pytest.mark.slow
def test_of_processes_that_train_together_one_says_what_is_wrong(tmp_path):
    (tmp_path / "damaged.h5").write_bytes(b"no HDF5")
    run = {"mode": "mm", "modalities": ["spikes", "wheel_speed"], "model": {}, "masking": {}, "training": {}, "seed": 0}
    files = [f"--{name.replace('_', '-')}={tmp_path / name}" for name in ("best", "last", "log_csv")]
    command = [sys.executable, "-m", "workflow_scripts", "train-together", "--processes", "2", *files]
    ended = subprocess.run(
        [*command, "--aligned", tmp_path / "damaged.h5", "--settings", json.dumps(run)], capture_output=True, text=True
    )
    said = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert ended.returncode != 0 and len(said) == 1 and "damaged.h5" in said[0], ended.stderr


def test_a_place_that_cannot_be_written_is_told_before_anything_is_computed(neds, tmp_path):
    (tmp_path / "file").write_text("")
    error, _ = neds("left-out", "--output", tmp_path / "file" / "left_out.txt")
    assert error.startswith(f"error: {tmp_path / 'file' / 'left_out.txt'}: cannot be written (")


def test_the_spelling_of_earlier_versions_works_and_says_the_new_one(tmp_path):
    command = [sys.executable, "-m", "workflow_scripts.metrics_table", "--metrics", write_metrics(tmp_path / "m.csv")]
    ended = subprocess.run([*command, "--output", tmp_path / "all.csv"], capture_output=True, text=True, check=True)
    assert ended.stderr == "python -m workflow_scripts.metrics_table is now: python -m workflow_scripts metrics-table\n"
    assert (tmp_path / "all.csv").exists()


def test_a_folder_with_files_in_it_is_never_replaced(neds, tmp_path):
    """Neither somebody's notes nor the session that the same command wrote before."""
    (tmp_path / "alf").mkdir()
    (tmp_path / "alf" / "notes.txt").write_text("mine")
    settings = json.dumps({"n_trials": 20, "units_min": 4, "units_max": 5})
    arguments = ["--settings", settings, "--index", 0, "--session-path", "lab/Subjects/M0/2024-01-02/001"]
    error, _ = neds("synthesize", *arguments, "--alf-root", tmp_path / "alf", "--truth", tmp_path / "truth.h5")
    assert "alf: holds files" in str(error) and "name one that is empty or new" in str(error)
    assert files_in(tmp_path) == {"alf/notes.txt"}
