"""How training is started in one process or several."""

import sys

from neds.training.launch import launch_command

TRAIN = ["-m", "workflow_scripts", "train", "--settings", "{}"]


def command(*, nodes=1, processes=1, environment=()) -> list[str]:
    return launch_command(TRAIN, nodes=nodes, processes=processes, cpus=6, host="first", environment=dict(environment))


def test_one_process_is_plain_python():
    assert command() == [sys.executable, *TRAIN]


def test_processes_of_one_computer_need_no_slurm():
    alone = command(processes=4)
    assert alone[1:3] == ["-m", "torch.distributed.run"]
    assert {"--standalone", "--nproc-per-node=4"} <= set(alone)
    assert alone[-len(TRAIN) :] == TRAIN
    assert command(processes=4, environment={"SLURM_JOB_ID": "7"}) == alone


def test_srun_starts_one_torchrun_on_each_node_of_the_allocation():
    both = command(nodes=2, processes=4, environment={"SLURM_JOB_ID": "7"})
    assert both[0] == "srun"
    assert {"--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=6", "--nnodes=2", "--nproc-per-node=4"} <= set(both)
    assert "--standalone" not in both
    other = command(nodes=2, processes=4, environment={"SLURM_JOB_ID": "8"})
    endpoints = {option for option in both + other if option.startswith("--rdzv-endpoint=first:")}
    assert len(endpoints) == 2, "jobs that share a node do not meet each other's processes"


def test_without_an_allocation_several_nodes_become_one(caplog):
    assert command(nodes=2, processes=4) == command(processes=4)
    assert "only SLURM can start processes on others" in caplog.text
