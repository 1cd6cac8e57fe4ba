"""How the processes that train one model are started: one alone, several by torchrun, those of several nodes by SLURM."""

import logging
import os
import socket
import sys
from collections.abc import Mapping

from neds.gpus import take_gpus

log = logging.getLogger(__name__)

# Long enough for a process that was told to end to write its state, which torchrun would otherwise kill after 30 s.
_SHUTDOWN_SECONDS = 600


def train_together(
    *arguments: str, nodes: int = 1, processes: int = 1, cpus: int = 1, gpu_percent: int | None = None
) -> None:
    """Train one model in several processes: those of one computer, or of all nodes of a SLURM allocation.

    All arguments but the following are those of `neds train`.

    Args:
        arguments: those of `neds train`.
        nodes: computers to train on; more than one needs SLURM.
        processes: on each of them: one per GPU, or a share of the CPU each.
        cpus: cores of each of them.
        gpu_percent: share of a GPU to wait for and to hold, of two processes and more a GPU each; 0: CPU only. By default
            any GPU is used as it is.
    """
    take_gpus(gpu_percent, processes=processes)
    command = launch_command(
        ["-m", "workflow_scripts", "train", *arguments],
        nodes=nodes,
        processes=processes,
        cpus=cpus,
        host=socket.gethostname(),
        environment=os.environ,
    )
    os.execvp(command[0], command)


def launch_command(
    arguments: list[str], *, nodes: int, processes: int, cpus: int, host: str, environment: Mapping[str, str]
) -> list[str]:
    """The command that runs `python ARGUMENTS` in all processes.

    On several nodes `srun` starts one torchrun on each node of the allocation that this process runs in; these find
    each other through this host. Without an allocation there is one node only: that changes how long training takes, not
    what is trained.

    Args:
        arguments: of python, such as ["-m", "workflow_scripts", "train", ...].
        nodes: computers to train on.
        processes: to start on each node.
        cpus: cores of each node.
        host: name of this computer, under which the others reach it.
        environment: in which SLURM_JOB_ID names the allocation.
    """
    job = environment.get("SLURM_JOB_ID")
    if nodes > 1 and not job:
        log.warning(
            "%d nodes were asked for, but only SLURM can start processes on others: training on this one", nodes
        )
    if nodes == 1 or not job:
        if processes == 1:
            return [sys.executable, *arguments]
        return _torchrun(processes, ["--standalone"], arguments)
    # Jobs that meet on one node need ports of their own, below those that the system gives to others.
    endpoint = f"{host}:{16384 + int(job) % 16384}"
    together = [f"--nnodes={nodes}", "--rdzv-backend=c10d", f"--rdzv-id={job}", f"--rdzv-endpoint={endpoint}"]
    # When one node fails, the others must not wait for it.
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={cpus}"]
    return [*step, "--kill-on-bad-exit=1", *_torchrun(processes, together, arguments)]


def _torchrun(processes: int, rendezvous: list[str], arguments: list[str]) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", *rendezvous]
    # torchrun takes a script or -m, not python's own options.
    return [*torchrun, f"--shutdown-timeout={_SHUTDOWN_SECONDS}", *arguments]
