"""Fixtures that several files of tests share."""

from tests.workflow_runs import copy_of_finished, finished

__all__ = ["copy_of_finished", "finished"]
