"""A search with Ray Tune, inside one process tree of its own."""

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import ray
from ray import tune
from ray._private import ray_constants
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator
from ray.tune.search.optuna import OptunaSearch

from neds.errors import UserError
from neds.tuning.settings import SearchSettings
from neds.tuning.space import Domain

log = logging.getLogger(__name__)

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Otherwise an interrupted search ends as if it were complete.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Save the state whenever something happened: by default only every ten seconds, and trials would be repeated.
    "TUNE_GLOBAL_CHECKPOINT_S": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # A trial that was given no GPU sees none.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    # Without clusters, Ray listens on the loopback interface alone.
    ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",
}
Status = Literal["finished", "stopped", "failed"]
_OBJECT_STORE_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Resources:
    """CPU cores of the whole search, and cores and GPUs of one trial. The search uses all GPUs that it can see."""

    cpus: int
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        trial: its number, from 1.
        values: what it was trained with, by dotted key.
        score: of its best validation; None without one.
        epochs: as many as it was trained for.
        status: a trial that is stopped had worse scores than others at the same time.
        reason: of a failure.
    """

    trial: int
    values: dict[str, Any]
    score: float | None
    epochs: int
    status: Status
    reason: str


def run_search(
    trial: Callable[[dict[str, Any]], None],
    *,
    search: SearchSettings,
    n_validations: int,
    resources: Resources,
    state: Path,
    description: str,
) -> list[Outcome]:
    """Run the trials of a search that have not run yet.

    Args:
        trial: trains with values by dotted key, and reports "score", "epoch" and "validation" (number of it) to Ray Tune.
        n_validations: of one trial that is not stopped.
        state: folder in which Ray keeps the state of this search and of no other; a search that was killed goes on from it.
            Reading it executes code: nobody else may be able to write it.
        description: name of the search in its progress messages.

    Raises:
        UserError: a trial wants more than there is.
    """
    if resources.cpus_per_trial > resources.cpus:
        raise UserError(
            f"tune.cpus_per_trial: a trial wants {resources.cpus_per_trial} cores, the search has {resources.cpus}; "
            "lower it, or give the rule more threads"
        )
    # Trials run in folders of their own.
    state = state.resolve()
    with _own_ray(resources.cpus):
        n_parallel = _n_parallel(resources)
        wanted = {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial}
        trainable = tune.with_resources(trial, wanted)
        if tune.Tuner.can_restore(state) and list(state.glob("experiment_state-*.json")):
            log.info("%s: resumed", description)
            tuner = tune.Tuner.restore(str(state), trainable=trainable)
        else:
            shutil.rmtree(state, ignore_errors=True)
            tuner = tune.Tuner(
                trainable,
                param_space={key: _drawn(domain) for key, domain in search.space.items()},
                tune_config=_tune_config(search, n_validations, n_parallel),
                run_config=tune.RunConfig(
                    name=state.name,
                    storage_path=str(state.parent),
                    verbose=0,
                    callbacks=[_Progress(search.n_trials, description)],
                ),
            )
        results = tuner.fit()
        return [_outcome(index + 1, results[index], n_validations) for index in range(len(results))]


@contextmanager
def _own_ray(n_cpus: int) -> Iterator[None]:
    """A Ray of this process alone, which ends with it."""
    # Given so, the token of Ray's connections is in no file; by default Ray writes one that everybody can read.
    wanted = _ENVIRONMENT | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before, had_clusters = {name: os.environ.get(name) for name in wanted}, ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(wanted)
    # Of this variable Ray itself took notice when it was imported.
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        # Ray's sockets lie in this folder, and their paths may not be longer than 107 bytes, which those of a job can be.
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            ray.init(
                address="local",
                num_cpus=n_cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=folder,
            )
            try:
                yield
            finally:
                ray.shutdown()
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = had_clusters
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _n_parallel(resources: Resources) -> int:
    """How many trials run at once."""
    n_parallel = resources.cpus // resources.cpus_per_trial
    if resources.gpus_per_trial:
        n_gpus = ray.cluster_resources().get("GPU", 0)
        if resources.gpus_per_trial > n_gpus:
            raise UserError(
                f"tune.gpus_per_trial: a trial wants {resources.gpus_per_trial:g} GPUs, the search has {n_gpus:g}; "
                "lower it (0 trains on the CPU), or give the rule a GPU"
            )
        n_parallel = min(n_parallel, int(n_gpus / resources.gpus_per_trial))
    return n_parallel


def _drawn(domain: Domain) -> Any:
    if domain.choice:
        return tune.choice(domain.choice)
    if domain.uniform:
        return tune.uniform(*domain.uniform)
    return tune.loguniform(*domain.loguniform or ())


def _tune_config(search: SearchSettings, n_validations: int, n_parallel: int) -> tune.TuneConfig:
    # A process that starts anew for each trial spends seconds on imports.
    goal = partial(tune.TuneConfig, metric="score", mode="max", num_samples=search.n_trials, reuse_actors=True)
    if search.method == "random":
        drawn = BasicVariantGenerator(max_concurrent=n_parallel, random_state=search.seed)
        return goal(search_alg=drawn, scheduler=FIFOScheduler())
    # The learning rate of the first quarter still rises or is at its largest: scores say little before.
    scheduler = ASHAScheduler(
        time_attr="validation", max_t=n_validations, grace_period=max(1, n_validations // 4), reduction_factor=3
    )
    return goal(search_alg=OptunaSearch(seed=search.seed), scheduler=scheduler, max_concurrent_trials=n_parallel)


def _outcome(number: int, result: tune.Result, n_validations: int) -> Outcome:
    metrics = result.metrics or {}
    ended: Status = "finished" if metrics.get("validation") == n_validations else "stopped"
    return Outcome(
        trial=number,
        values={
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in (result.config or {}).items()
        },
        score=metrics.get("score"),
        epochs=metrics.get("epoch", 0),
        status="failed" if result.error else ended,
        reason=_reason(result.error) if result.error else "",
    )


def _reason(error: Exception) -> str:
    """What a trial's own exception said, in one line. Ray wraps it in its report of the failure."""
    cause = getattr(error, "cause", error)
    return " ".join(f"{type(cause).__name__}: {cause}".split())


class _Progress(tune.Callback):
    """One line of the log for each trial that ends."""

    def __init__(self, n_trials: int, description: str) -> None:
        self._n_trials = n_trials
        self._description = description

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        self._report(trials, trial, f"score {trial.last_result.get('score', float('nan')):.3f}")

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        self._report(trials, trial, "failed")

    def _report(self, trials: list, trial: Any, outcome: str) -> None:
        values = ", ".join(f"{key} {_short(value)}" for key, value in trial.config.items())
        n_ended = 1 + sum(other.is_finished() for other in trials if other is not trial)
        log.info("%s: %d of %d trials ended: %s (%s)", self._description, n_ended, self._n_trials, outcome, values)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
