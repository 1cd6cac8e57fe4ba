"""Train one model in several processes: those of one computer, or of all nodes of a SLURM allocation.

All arguments but the following are those of workflow_scripts.train.
"""

import argparse
import logging
import os
import socket
import sys

from neds.training.launch import launch_command

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--nodes", type=int, default=1, help="computers to train on; more than one needs SLURM")
    parser.add_argument(
        "--processes", type=int, default=1, help="on each of them: one per GPU, or a share of the CPU each"
    )
    parser.add_argument("--cpus", type=int, default=1, help="cores of each of them")
    options, arguments = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    command = launch_command(
        ["-m", "workflow_scripts.train", *arguments],
        nodes=options.nodes,
        processes=options.processes,
        cpus=options.cpus,
        host=socket.gethostname(),
        environment=os.environ,
    )
    os.execvp(command[0], command)
