"""Names that a shell, Snakemake, a command or the report would take for something else: they work, or are one line."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import yaml
from docutils.core import publish_parts

from neds.config import check_config
from neds.config.schema import Config
from neds.errors import UserError
from neds.plan.captions import as_plain_text, caption_text
from neds.plan.front_page import FrontPage
from neds.plan.sessions import alf_files
from neds.plan.step import options
from neds.roster import read_sheet
from tests.workflow_runs import ROOT, environment

MEANT_FOR_THE_SHELL = {"params.recipe", "params.files", "params.tuned", "params.drawing", "threads"}
"""Options that are quoted one by one where they are made."""


def test_rules_quote_all_that_they_give_to_a_shell():
    for path in Path(ROOT, "rules").glob("*.smk"):
        text = path.read_text()
        for shell in re.findall(r"shell:\n((?: +\".*\"\n)+)", text):
            used = re.findall(r"\{([^{}]+)\}", shell)
            bare = {name for name in used if not name.endswith(":q") and not name.startswith("resources.")}
            assert bare <= MEANT_FOR_THE_SHELL, path
        assert "shell(" not in text, path


@pytest.mark.parametrize("key", ["results", "sessions", "download.alf_root", "download.cache_dir"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("-r", "begins with a dash"),
        ("./--output", "begins with a dash"),
        ("out{eid}", "braces stand for wildcards"),
        ("a}", "braces stand for wildcards"),
        ("a\nb", "line break"),
        ("a\0b", "control character"),
        ("a\x1b[2J", "control character"),
        ("~/r", "~ is not replaced"),
    ],
)
def test_paths_that_mean_something_else_are_one_line(key, path, message, tmp_path):
    block, _, name = key.rpartition(".")
    with pytest.raises(UserError) as error:
        check_config({block: {name: path}} if block else {name: path}, base=tmp_path)
    (line,) = [line for line in str(error.value).splitlines() if f"config key {key}: " in line]
    assert message in line


@pytest.mark.parametrize("path", ["{eid}.npz", "a{b.npz", "a\x1bb.npz"])
def test_paths_of_a_sheet_that_mean_something_else_are_one_line(path, tmp_path):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text(f"eid\trole\tpath\ns1\ttest\t{path}\n")
    (fault,) = read_sheet(sheet, source="aligned")[1]
    assert fault.startswith(f"{sheet}, session 1: path ")


def test_files_of_other_names_in_an_alf_folder_are_not_read(tmp_path):
    folder = tmp_path / "lab" / "alf"
    folder.mkdir(parents=True)
    for name in ("spikes.times.npy", "{eid}.npy"):
        (folder / name).touch()
    assert [path.name for path in alf_files(tmp_path, "lab", with_lfp=False)] == ["spikes.times.npy"]


def own_arrays(folder: Path, *, results: str, **config: object) -> list[str]:
    """Write two sessions of own arrays under names that are hard on a shell, and a configuration; the command's end."""
    generator = np.random.default_rng(0)
    arrays = {
        "spike_counts": generator.poisson(0.8, (80, 14, 40)).astype("uint8"),
        "wheel_speed": generator.random((80, 40)),
        "lever": generator.random((80, 40)),
        "choice": np.where(generator.random(80) > 0.5, 1, -1),
        "bin_s": 0.05,
        "t0_s": -0.5,
    }
    names = ["it's $(touch RUN).npz", "--output.npz"]
    for name in names:
        np.savez(folder / name, **arrays | {"wheel_speed": generator.random((80, 40))})
    rows = "".join(f"s{number}\ttest\t{name}\n" for number, name in enumerate(names))
    config = {"source": "aligned", "sessions": "a sheet; touch RUN.tsv"} | config
    (folder / str(config["sessions"])).write_text(f"eid\trole\tpath\n{rows}")
    config |= {
        "modalities": ["spikes", "wheel_speed", "choice", *config.get("custom_modalities", ())],
        "regimes": ["scratch"],
        "results": results,
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    return ["--configfile", str(folder / "mine.yaml"), "--directory", str(folder), "--cores", "2"]


def run(project: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess:
    settings = {name: value for name, value in environment(home).items() if name != "PYTHONPATH"}
    if not arguments or arguments[0].startswith("--"):
        arguments = ("sessions_table", *arguments)
    parts = [Path(sys.executable).with_name("snakemake"), "--snakefile", project / "Snakefile"]
    return subprocess.run([*parts[:1], *arguments, *parts[1:]], capture_output=True, text=True, env=settings, cwd=home)


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the workflow in a folder whose name is hard on a shell."""
    folder = tmp_path / "o'neil" / 'my $(touch RUN) "project"'
    folder.mkdir(parents=True)
    for name in ("neds", "rules", "profiles", "workflow_scripts", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml", "sessions.tsv"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("results", ["r$(touch RUN)", "my results/o'neil's", 'r`touch RUN`;touch RUN "*[x]?&\\'])
def test_no_name_is_run_by_a_shell(results, project, tmp_path):
    work = tmp_path / "work & more"
    work.mkdir()
    done = run(project, *own_arrays(work, results=results), home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    table = (work / results / "tables" / "sessions.csv").read_text()
    assert table.count("True") >= 2
    assert not list(tmp_path.rglob("RUN"))


@pytest.mark.parametrize("name", ["{eid}", "a{b", "a:b"])
def test_a_project_folder_that_snakemake_cannot_work_from_is_one_line(name, project, tmp_path):
    moved = project.rename(tmp_path / name)
    done = run(moved, *own_arrays(tmp_path, results="r"), home=tmp_path)
    printed = done.stdout + done.stderr
    assert done.returncode == 1 and "rename or move the project's folder" in printed and "Traceback" not in printed


HOSTILE = (
    "x``\n\n.. raw:: html\n\n   <img src=x onerror=alert(1)>\n\n`y <javascript:alert(1)>`_ |z| "
    "</script><script>alert(2)</script> \\"
)


def test_nothing_that_the_user_wrote_is_markup_in_a_caption(tmp_path):
    wanted = " ".join(HOSTILE.split())
    written = as_plain_text(
        {"sessions": HOSTILE, "source": HOSTILE, "modalities": [HOSTILE], "finetune_from": [HOSTILE]}
    )
    told = as_plain_text(Config().model_dump(mode="json")) | written
    told["front_page"] = FrontPage(tmp_path)
    (tmp_path / "tables").mkdir()
    label = HOSTILE.replace(chr(34), "")
    columns = [f'"{label}: {metric}{part}"' for metric in ("R²", "of no model") for part in ("", ", n")]
    (tmp_path / "tables/benchmark.csv").write_text("model," + ",".join(columns) + "\nNEDS,0.5,2,,0\n")
    told["regions"] = told["regions"] | {"classes": as_plain_text([HOSTILE])}
    for path in Path(ROOT, "rules", "captions").glob("*.rst"):
        if path.stem == "drawn":
            continue
        wildcards = {"table": "sessions", "eid": "e", "mode": "mm", "stage": "pretraining", "search": "a/b"}
        text = caption_text(path, config=told, wildcards=wildcards)
        if path.stem == "report":
            assert text.count("onerror") == 5, "source, sheet, modalities, and headings of scores there and absent"
        page = publish_parts(text, writer="html")["html_body"]
        assert not re.search("<img|<script|href=.?javascript|system-message", page), path
        assert text.count("onerror") == unescape(re.sub(r"</?(span|tt|cite|code)[^>]*>", "", page)).count(wanted), path


def test_nothing_that_the_user_wrote_ends_the_script_of_the_report():
    given = {"label": "</script><script>alert(1)</script>", "<!--": ["<b>"]}
    _, text = shlex.split(options({"settings": given}))
    assert "<" not in text and json.loads(text) == given
    with pytest.raises(UserError, match=r"config key results: .*< begins a tag"):
        check_config({"results": "r</script><script>x"}, base=ROOT)


@pytest.mark.slow
def test_report_of_a_hostile_configuration(tmp_path):
    label = "</script><script>alert(2)</script>"
    hostile = {
        "sessions": "`` <img src=x onerror=alert(1)> `y <javascript:alert(1)>`_.tsv",
        "custom_modalities": {"lever": {"kind": "continuous", "label": label}},
    }
    arguments = own_arrays(tmp_path, results="r", **hostile)
    targets = ["r/tables/configuration.html", "r/tables/sessions.html"]
    done = run(ROOT, *targets, *arguments, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(ROOT, *targets, *arguments, "--report", "report.html", home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "report.html").read_text()
    assert "&lt;img src=x" in page
    assert not re.search(r"<img src=x|<script>alert|href=\W*javascript:alert", page)
    for table in targets:
        shown = (tmp_path / table).read_text()
        assert "<script>alert" not in shown and "<img src=x" not in shown
