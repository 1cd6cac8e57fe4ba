"""The workflow on a real SLURM of two nodes, through the profile that users take: an ordeal, and what is left of it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import pandas as pd
import pytest
import torch
import yaml

from neds.model.checkpoint import read_checkpoint
from neds.training.settings import TrainingRun
from neds.training.stage import run_training
from tests import slurm_cluster
from tests.alf_trees import SESSION_PATH, write_session
from tests.aligned_sessions import make_session
from tests.download_runs import use_scratch_home
from tests.loopback_alyx import serving
from tests.slurm_cluster import Cluster, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
# The shipped profile is for clusters where a job takes hours.
QUICK = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
QUICK += ["--seconds-between-status-checks", "1", "--latency-wait", "20", "--max-jobs-per-timespan", "100/1s"]

MODES = ("mm", "encoding", "decoding")
CONFIG = {
    "source": "aligned",
    "sessions": "sessions.tsv",
    "modalities": ["spikes", "wheel_speed"],
    "modes": list(MODES),
    "regimes": ["finetuned"],
    "partition": {"min_trials": 20, "min_units": 5},
    "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
    # Two processes train as one does when nothing is dropped out at random.
    "training": {"validate_every": 2},
    "overrides": {"pretrain": {"training.epochs": 100}, "finetuned": {"training.epochs": 1}},
}
for dropout in ("token_dropout", "mlp_dropout", "unit_dropout"):
    CONFIG["model"][dropout] = 0.0
BROKEN = "mouse3"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    why_not = slurm_cluster.install()
    if why_not:
        pytest.skip(why_not)
    with slurm_cluster.running() as running:
        yield running


def prepare(folder: Path, **profile: str) -> None:
    """Make `folder` a user's: arrays of three sessions, one of them damaged, a config, and the profile in its home."""
    lines = ["eid\trole\tpath"]
    for eid, role in (("mouse1", "train"), ("mouse2", "test"), (BROKEN, "test")):
        values = make_session(eid, n_trials=60, n_units=8).values
        with h5py.File(folder / f"{eid}.h5", "w") as handle:
            handle["spikes"], handle["wheel_speed"] = values["spikes"], values["wheel_speed"][..., 0]
            handle["bin_s"], handle["t0_s"] = 0.05, -0.2
        lines.append(f"{eid}\t{role}\t{eid}.h5")
    os.truncate(folder / f"{BROKEN}.h5", 1000)
    (folder / "sessions.tsv").write_text("\n".join(lines))
    (folder / "my.yaml").write_text(yaml.safe_dump(CONFIG))
    set_profile(folder, **profile)


def set_profile(folder: Path, **variables: str) -> None:
    """Copy the profile to where `snakemake --profile slurm` finds it, and set variables at its top."""
    home = folder / ".config/snakemake/slurm"
    shutil.copytree(ROOT / "profiles/slurm", home, dirs_exist_ok=True)
    text = (home / "config.yaml").read_text()
    for name, value in variables.items():
        text, number = re.subn(rf"^(  {name}:) \S+", rf"\1 {value}", text, flags=re.MULTILINE)
        assert number == 1, name
    (home / "config.yaml").write_text(text)


def command(folder: Path, *arguments: str) -> list[str]:
    parts = [Path(sys.executable).with_name("snakemake"), "--profile", "slurm", "--snakefile", ROOT / "Snakefile"]
    parts += ["--directory", folder, "--configfile", folder / "my.yaml", *QUICK, *arguments]
    return [str(part) for part in parts]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}


def start(folder: Path, cluster: Cluster, *arguments: str, **variables: str) -> subprocess.Popen:
    """Start the workflow in `folder` on the cluster; what it says is in printed.txt."""
    variables |= {"PATH": cluster.environment["PATH"]}
    with open(folder / "printed.txt", "w") as printed:
        return subprocess.Popen(
            command(folder, *arguments),
            env=environment(folder) | variables,
            cwd=folder,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )


def finish(snakemake: subprocess.Popen, folder: Path) -> None:
    try:
        assert snakemake.wait(timeout=1200) == 0, (folder / "printed.txt").read_text()
    except subprocess.TimeoutExpired:
        pytest.fail((folder / "printed.txt").read_text())
    finally:
        snakemake.kill()


@dataclass(frozen=True)
class Ordeal:
    """One run of the workflow in which much went wrong; `warned`, `limited` and `lost` name the mode that met each fate.

    Attributes:
        jobs, tasks: what SLURM knows of it, see `Cluster`.
        warned: SLURM warned the job that its time ends soon.
        limited: its time was over.
        lost: its node died.
        died: that node.
    """

    folder: Path
    returncode: int
    printed: str
    jobs: list[dict[str, str]]
    tasks: list[dict[str, str]]
    warned: str
    limited: str
    lost: str
    died: str

    def jobs_of(self, rule: str, wildcard: str = "") -> list[dict[str, str]]:
        return [job for job in self.jobs if is_of(job, rule, wildcard)]

    def log(self, mode: str) -> str:
        return (self.folder / f"results/logs/pretrain/all-{mode}-seed0.log").read_text()


def is_of(job: dict[str, str], rule: str, wildcard: str = "") -> bool:
    """Whether a job is one of this rule; the executor writes rule and wildcards into its comment."""
    name, _, wildcards = job["comment"].partition("_wildcards_")
    return name == f"rule_{rule}" and (not wildcard or wildcard in wildcards.split("_"))


@pytest.fixture(scope="module")
def ordeal(cluster, tmp_path_factory) -> Ordeal:
    folder = tmp_path_factory.mktemp("ordeal")
    prepare(folder)
    targets = [f"{model_of(mode)}/best.safetensors" for mode in MODES]
    targets += ["results/models/mouse2/mm-finetuned-all/seed0/best.safetensors", f"results/aligned/{BROKEN}.h5"]
    snakemake = start(folder, cluster, *targets)
    try:
        running = stopped_in_training(cluster, folder, snakemake)
        # Each node has two GPUs, so that one of three jobs is alone on its node.
        nodes = {mode: job["nodes"] for mode, job in running.items()}
        lost = next(mode for mode in MODES if list(nodes.values()).count(nodes[mode]) == 1)
        warned, limited = (mode for mode in MODES if mode != lost)
        cluster.kill_node(nodes[lost])
        # SLURM looks at the limits every half minute, warns two minutes before, and with that lets a stopped job go on.
        end_at(cluster, running[warned]["id"], seconds=130)
        wait_until(lambda: state_of(cluster, running[warned]["id"]) != "STOPPED", "SLURM has warned")
        # At its next look this one's time is over, before it could leave upon a warning.
        end_at(cluster, running[limited]["id"], seconds=2)
        wait_until(lambda: state_of(cluster, running[limited]["id"]) != "STOPPED", "the time is over")
        snakemake.wait(timeout=1200)
    finally:
        snakemake.kill()
    cluster.start_node(nodes[lost])
    return Ordeal(
        folder=folder,
        returncode=snakemake.returncode,
        printed=(folder / "printed.txt").read_text(),
        jobs=cluster.jobs(),
        tasks=cluster.tasks(),
        warned=warned,
        limited=limited,
        lost=lost,
        died=nodes[lost],
    )


def stopped_in_training(cluster: Cluster, folder: Path, snakemake: subprocess.Popen) -> dict[str, dict[str, str]]:
    """Wait until every pretraining is under way, and stop it (SIGSTOP) so that it cannot end; the jobs by mode."""
    stopped: dict[str, dict[str, str]] = {}

    def all_stopped() -> bool:
        assert snakemake.poll() is None, (folder / "printed.txt").read_text()
        for mode in set(MODES) - set(stopped):
            if (folder / model_of(mode) / "log.csv").exists():
                stopped[mode] = next(job for job in cluster.jobs() if is_of(job, "pretrain", mode))
                cluster.query("scancel", "--signal=STOP", stopped[mode]["id"])
        return len(stopped) == len(MODES)

    def states() -> set[str]:
        return {state_of(cluster, job["id"]) for job in stopped.values()}

    wait_until(all_stopped, "all pretrainings are under way")
    wait_until(lambda: "SIGNALING" not in states(), "SLURM has sent the signals")
    assert states() == {"STOPPED"}, "one has ended before"
    return stopped


def model_of(mode: str) -> str:
    return f"results/models/pretrained-all/{mode}/seed0"


def log_of(folder: Path, mode: str) -> pd.DataFrame:
    """The validation log of a pretraining, without times."""
    log = pd.read_csv(folder / model_of(mode) / "log.csv")
    return log.drop(columns=[name for name in log if "second" in name])


def train_here(folder: Path, mode: str, to: Path) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """Log and last weights of the same pretraining in this process, with nothing in its way."""
    # Sums round otherwise with another number of threads; the profile gives pretraining two.
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    record = read_checkpoint(folder / model_of(mode) / "last.safetensors")[0].record
    model = to / model_of(mode)
    run_training(
        run=TrainingRun.model_validate(record["run"]),
        aligned=[folder / "results/aligned/mouse1.h5"],
        best=model / "best.safetensors",
        last=model / "last.safetensors",
        log_csv=model / "log.csv",
    )
    torch.set_num_threads(threads)
    return log_of(to, mode), read_checkpoint(model / "last.safetensors")[1]


def copy_without(folder: Path, to: Path, *models: str, **config: dict) -> Path:
    """A copy of the user's folder with other settings, in which these models are not yet made."""
    copy = shutil.copytree(folder, to / "copy", ignore=shutil.ignore_patterns("slurm_logs"))
    for model in models:
        shutil.rmtree(copy / model)
    (copy / "my.yaml").write_text(yaml.safe_dump(CONFIG | config))
    return copy


def state_of(cluster: Cluster, job_id: str) -> str:
    return next(job["state"] for job in cluster.jobs() if job["id"] == job_id)


def end_at(cluster: Cluster, job_id: str, *, seconds: int) -> None:
    """Change the time limit of a running job so that it is over soon."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + seconds))
    subprocess.run(["scontrol", "update", f"JobId={job_id}", f"EndTime={end}"], env=cluster.environment, check=True)


def test_gpu_stages_run_on_the_gpu_partition_with_the_gpu_they_were_given(ordeal):
    for job in ordeal.jobs:
        trains = is_of(job, "pretrain") or is_of(job, "finetune")
        seen = {task["gpus"] for task in ordeal.tasks if task["job"] == job["id"]}
        assert (job["partition"], job["gpus"]) == (("gpu", "gres:gpu:1") if trains else ("cpu", "N/A")), job
        assert seen and seen <= ({"0", "1"} if trains else {""}), job
    # Two that trained on one node at the same time.
    first = [ordeal.jobs_of("pretrain", mode)[0]["id"] for mode in (ordeal.warned, ordeal.limited)]
    assert {task["gpus"] for task in ordeal.tasks if task["job"] in first} == {"0", "1"}


def test_failing_job_is_tried_as_often_as_the_profile_says_and_the_others_go_on(ordeal):
    retries = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["retries"]
    tries = ordeal.jobs_of("import_arrays", BROKEN)
    assert [job["state"] for job in tries] == ["FAILED"] * (1 + retries)
    assert [job["memory"] for job in tries] == [f"{2000 * attempt}M" for attempt in range(1, 2 + retries)]
    assert ordeal.returncode == 1
    assert f"{BROKEN}.h5: " in ordeal.printed
    assert (ordeal.folder / "results/models/mouse2/mm-finetuned-all/seed0/best.safetensors").exists()


def test_training_that_slurm_warns_saves_its_state_and_is_resumed_by_its_retry(ordeal):
    _, second = ordeal.jobs_of("pretrain", ordeal.warned)
    assert second["state"] == "COMPLETED"
    assert f"pretraining {ordeal.warned} on all, seed 0: stopped after epoch" in ordeal.printed, (
        "in its log as Snakemake showed it"
    )
    assert "resumed after epoch" in ordeal.log(ordeal.warned)


def test_job_over_its_time_limit_is_resumed_by_its_retry_which_gets_more_time(ordeal):
    first, second = ordeal.jobs_of("pretrain", ordeal.limited)
    assert (first["state"], second["state"]) == ("TIMEOUT", "COMPLETED")
    assert second["time_limit"] == "1-00:00:00"
    assert "resumed after epoch" in ordeal.log(ordeal.limited)


def test_training_on_a_node_that_died_is_finished_on_another(ordeal):
    """SLURM starts it again, and Snakemake does not submit it a second time."""
    (job,) = ordeal.jobs_of("pretrain", ordeal.lost)
    nodes = [task["node"] for task in ordeal.tasks if task["job"] == job["id"]]
    assert nodes[0] == ordeal.died
    assert nodes[-1] == job["nodes"] != ordeal.died
    assert job["state"] == "COMPLETED"


@pytest.mark.parametrize("fate", ["warned", "limited", "lost"])
def test_what_was_interrupted_ends_with_the_weights_of_an_undisturbed_run(fate, ordeal, tmp_path):
    mode = getattr(ordeal, fate)
    undisturbed, weights = train_here(ordeal.folder, mode, tmp_path)
    interrupted = read_checkpoint(ordeal.folder / model_of(mode) / "last.safetensors")[1]
    assert all(torch.equal(interrupted[name], weights[name]) for name in weights)
    pd.testing.assert_frame_equal(undisturbed, log_of(ordeal.folder, mode))


def test_two_nodes_train_as_one_process_does(ordeal, cluster, tmp_path):
    folder = copy_without(ordeal.folder, tmp_path, model_of("mm"), overrides={"pretrain": {"training.epochs": 8}})
    set_profile(folder, pretrain_nodes="2")
    finish(start(folder, cluster, f"{model_of('mm')}/best.safetensors"), folder)
    job = cluster.jobs()[-1]
    assert (job["partition"], job["gpus"]) == ("gpu", "gres:gpu:1")
    assert {task["node"] for task in cluster.tasks() if task["job"] == job["id"]} == set(slurm_cluster.NODES)
    assert "2 processes" in (folder / "results/logs/pretrain/all-mm-seed0.log").read_text()
    alone, _ = train_here(folder, "mm", tmp_path / "alone")
    pd.testing.assert_frame_equal(alone, log_of(folder, "mm"), rtol=1e-3, atol=1e-4)


def test_search_runs_in_one_allocation_without_gpus_and_joins_no_other_ray(ordeal, cluster, tmp_path):
    search = {
        "stages": ["finetuned"],
        "finetune_n_trials": 2,
        "finetune_space": {"training.lr": {"uniform": [0.001, 0.01]}},
    }
    folder = copy_without(ordeal.folder, tmp_path, tune=search)
    set_profile(folder, gpu="null", gpu_partition="cpu")
    n_before = len(cluster.jobs())
    best = "results/tuning/mouse2/mm-finetuned-all/best.yaml"
    finish(start(folder, cluster, best, RAY_ADDRESS="127.0.0.1:1"), folder)
    (job,) = cluster.jobs()[n_before:]
    assert is_of(job, "tune_finetune")
    assert (job["partition"], job["gpus"], job["state"]) == ("cpu", "N/A", "COMPLETED")
    trials = pd.read_csv((folder / best).with_name("trials.csv"))
    assert trials["status"].tolist() == ["finished", "finished"]


def test_downloads_run_on_the_submitting_host(cluster, tmp_path, monkeypatch):
    folder = use_scratch_home(tmp_path, monkeypatch)
    write_session(tmp_path / "alf")
    with serving(tmp_path / "alf") as server:
        eid = server.eid(SESSION_PATH)
        (folder / "sessions.tsv").write_text(f"eid\trole\n{eid}\ttest\n")
        config = {"source": "one", "sessions": "sessions.tsv", "regimes": ["scratch"]}
        config["download"] = {"base_url": server.url}
        (folder / "my.yaml").write_text(yaml.safe_dump(config))
        set_profile(folder)
        n_before = len(cluster.jobs())
        account = {"ONE_USERNAME": server.username, "ONE_PASSWORD": server.password}
        finish(start(folder, cluster, f"results/aligned/{eid}.h5", **account), folder)
        assert server.served
    (job,) = cluster.jobs()[n_before:]
    assert is_of(job, "partition")
