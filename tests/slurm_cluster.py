"""A real SLURM on this machine for tests: two nodes with two make-believe GPUs each, partitions cpu and gpu.

The daemons are Debian's. Configuration, keys, sockets, state and logs lie in a folder of the cluster's own, its ports are
free ones, and its commands are found on `Cluster.environment["PATH"]` alone: a SLURM that the machine has, and other
clusters of this kind, are not touched.
"""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

NODES = ("node1", "node2")
# Slurm asks for a device file for every GPU. These exist everywhere and do no harm.
GPU_DEVICES = ("/dev/null", "/dev/zero")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
DAEMONS = ("slurmctld", "slurmd", "munged")
COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare")

# No accounting: a database server would have to be installed and started. Finished jobs are kept for the tests to look at.
# The node of a job that failed is down within seconds, and what a job leaves behind is killed soon.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
TaskProlog={folder}/task_prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=15
KillWait=10
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=DEFAULT CPUs=8 RealMemory=64000 Gres=gpu:{n_gpus}
{nodes}
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE DefaultTime=10
PartitionName=cpu Default=YES
PartitionName=gpu
"""


class Cluster:
    """A running cluster.

    Attributes:
        folder: everything that belongs to it.
        environment: with which its commands (sbatch, squeue, ...) are found.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self._daemons: dict[str, subprocess.Popen] = {}
        self._configure()

    def start(self) -> None:
        """Start all daemons; returns when both nodes take jobs."""
        self._start("munged", "--foreground", f"--socket={self.folder}/munge.socket", f"--key-file={self.folder}/key",
                    f"--log-file={self.folder}/munged.log", f"--pid-file={self.folder}/munged.pid",
                    f"--seed-file={self.folder}/munged.seed", "--num-threads=2")  # fmt: skip
        wait_until(lambda: (self.folder / "munge.socket").exists(), "munged listens")
        self._start("slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: sorted(self.query("sinfo", "-hN", "-pcpu", "-tidle", "-o%N")) == list(NODES), "nodes are up")

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, name=node)

    def kill_node(self, node: str) -> None:
        """End a node as a power cut would: its daemon and everything that runs on it."""
        self._daemons[node].kill()
        self._daemons[node].wait()
        self._kill_steps(node)

    def stop(self) -> None:
        """End all daemons and jobs."""
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        for node in NODES:
            self._kill_steps(node)

    def query(self, *command: str) -> list[str]:
        """Lines that a command of the cluster prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout.splitlines()

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that there have been, in the order of submission."""
        keys = ("id", "state", "partition", "nodes", "gpus", "memory", "time_limit", "comment")
        lines = self.query("squeue", "-h", "-tall", "-Si", "-o%i|%T|%P|%N|%b|%m|%l|%k")
        return [dict(zip(keys, line.split("|"), strict=True)) for line in lines]

    def tasks(self) -> list[dict[str, str]]:
        """What each task that has started was given: job, step, rank, node, gpus (CUDA_VISIBLE_DEVICES)."""
        record = self.folder / "tasks"
        lines = record.read_text().splitlines() if record.exists() else []
        return [dict(zip(("job", "step", "rank", "node", "gpus"), line.split("|"), strict=True)) for line in lines]

    def logs(self) -> str:
        """The ends of the daemons' logs, for when something does not work."""
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self, program: str, *arguments: str, name: str | None = None) -> None:
        name = name or program
        environment = os.environ | {"SLURM_CONF": f"{self.folder}/slurm.conf"}
        with open(self.folder / f"{name}.log", "a") as log:
            self._daemons[name] = subprocess.Popen(
                [_found(program), *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _configure(self) -> None:
        for name in ("bin", "state", "spool"):
            (self.folder / name).mkdir()
        for node in NODES:
            (self.folder / "spool" / node).mkdir()
        (self.folder / "key").write_bytes(secrets.token_bytes(64))
        (self.folder / "key").chmod(0o600)
        controller_port, *ports = _free_ports(1 + len(NODES))
        host = socket.gethostname()
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            for node, port in zip(NODES, ports, strict=True)
        )
        configuration = CONFIGURATION.format(
            folder=self.folder, host=host, user=getpass.getuser(), controller_port=controller_port,
            n_gpus=len(GPU_DEVICES), nodes=nodes,
        )  # fmt: skip
        (self.folder / "slurm.conf").write_text(configuration)
        gres = "".join(f"Name=gpu File={device}\n" for device in GPU_DEVICES)
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\n{gres}")
        # The tasks of a job do not know where their node's configuration is, as elsewhere it is in one place for all.
        for command in COMMANDS:
            text = f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_found(command)} "$@"\n'
            _write_script(self.folder / "bin" / command, text)
        record = "$SLURM_JOB_ID|$SLURM_STEP_ID|$SLURM_PROCID|$SLURMD_NODENAME|$CUDA_VISIBLE_DEVICES"
        _write_script(self.folder / "task_prolog", f'#!/bin/sh\necho "{record}" >> {self.folder}/tasks\n')

    def _kill_steps(self, node: str) -> None:
        for stepd in self._stepds(node):
            with suppress(psutil.NoSuchProcess):
                for process in [stepd, *stepd.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()

    def _stepds(self, node: str) -> list[psutil.Process]:
        """The daemons that watch over the job steps of a node: each listens on a socket in the node's folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                sockets = process.net_connections("unix") if process.name() == "slurmstepd" else []
                if any(str(one.laddr).startswith(f"{self.folder}/spool/{node}/") for one in sockets):
                    found.append(process)
        return found


def _found(program: str) -> str:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or ""


def _write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 900.0) -> None:
    """Wait until `condition` holds.

    Raises:
        TimeoutError: it did not within `seconds`, which are many more than it takes.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {seconds:.0f} s until {what}")
        time.sleep(0.2)


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that runs while the context lasts."""
    # Munge and Slurm's sockets need a folder that is not hidden from other users, with a short path.
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        try:
            cluster.start()
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{cluster.logs()}") from None
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def install() -> str:
    """Install Debian's packages where they are missing and can be installed; returns why they are not there, or ""."""
    if all(map(_found, (*DAEMONS, *COMMANDS))):
        return ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"SLURM is not installed, and installing it ({' '.join(PACKAGES)}) needs root on Debian"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            return f"SLURM cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
    return ""
