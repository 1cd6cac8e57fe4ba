"""Fixtures that several files of tests share, and the order of the files."""

import pytest

from tests.workflow_runs import copy_of_finished, finished

__all__ = ["copy_of_finished", "finished"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: one that began last would leave the other workers without work."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
