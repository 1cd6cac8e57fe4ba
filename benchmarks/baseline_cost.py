"""CPU seconds of the baselines that need one session alone: 600 trials, 700 units, 100 bins, fitted and predicted.

python -m benchmarks.baseline_cost
"""

from importlib import import_module

from benchmarks.measurement import Measurement, peak_gb, report, spent
from benchmarks.noise import noise_session
from neds.baselines.fitting import Given
from neds.baselines.registry import baselines, module_of

N_UNITS, SPLIT = 700, {"n_train": 420, "n_val": 60, "n_test": 120}


def main() -> None:
    """Report each."""
    session = noise_session(0, N_UNITS, **SPLIT)
    for name, baseline in baselines().items():
        if baseline.needs in ("", "conditions"):
            predict = import_module(f"neds.baselines.{module_of(name)}").predict
            with spent() as cost:
                predict(session, Given(None, ()))
            report(
                Measurement(
                    section=f"Baselines ({sum(SPLIT.values())} trials, {N_UNITS} units)",
                    what=f"`{name}`",
                    value=cost.cpu_s,
                    unit="CPU s",
                    further={"wall s": cost.wall_s, "peak memory of all so far (GB)": peak_gb()},
                )
            )


if __name__ == "__main__":
    main()
