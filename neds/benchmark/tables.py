"""Columns of the tables of a submission."""

COVERAGE = ["suite", "task", "eid", "seed", "of", "n_scored", "n_predicted", "n_filled", "remarks"]
"""A row for each file: of the trials or units that are scored, how many a model predicted, and how many were filled."""
OWN_SCORES = ["label", "task", "eid", "seed", "metric", "value"]
"""Our own scores, by the benchmark's names of tasks and metrics; eid is empty where a score is of all recordings."""
