"""CPU seconds of the baselines of one session that are no networks: 600 trials, 700 units, 100 bins, fitted and predicted.

    python -m benchmarks.baseline_cost

On one thread, as the workflow runs them.
"""

from importlib import import_module

from threadpoolctl import threadpool_limits

from benchmarks.measurement import Measurement, peak_gb, report, spent
from benchmarks.noise import noise_session
from neds.baselines.fitting import Given
from neds.baselines.registry import module_of

BASELINES = ("psth", "linear", "glm", "rrr")
N_UNITS, SPLIT = 700, {"n_train": 420, "n_val": 60, "n_test": 120}


def main() -> None:
    """Report each."""
    session = noise_session(0, N_UNITS, **SPLIT)
    for name in BASELINES:
        predict = import_module(f"neds.baselines.{module_of(name)}").predict
        with threadpool_limits(1), spent() as cost:
            predict(session, Given(None, ()))
        report(
            Measurement(
                section=f"Baselines ({sum(SPLIT.values())} trials, {N_UNITS} units)",
                what=f"`{name}`",
                value=cost.cpu_s,
                unit="CPU s",
                further={"peak memory of all so far (GB)": peak_gb()},
            )
        )


if __name__ == "__main__":
    main()
