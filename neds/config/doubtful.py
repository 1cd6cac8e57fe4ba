"""Values that can be used and are probably not what somebody means: told before anything runs, and refused by nothing."""

from neds.config.overrides import Stage
from neds.config.possible import of_task
from neds.config.schema import Config


def doubtful_values(config: Config) -> list[str]:
    """A sentence for each."""
    return _other_forecasts(config)


def _other_forecasts(config: Config) -> list[str]:
    """Models that are trained to forecast another share of the window than they are scored on."""
    if "mm" not in config.modes or not of_task("forecasting")(config):
        return []
    scored = config.evaluation.forecast_ratio
    stages: dict[float, list[Stage]] = {}
    for stage in config.regimes:
        masking = config.run_settings(stage, "mm").masking
        if masking.weights.get("future", 0) > 0 and masking.future_ratio != scored:
            stages.setdefault(masking.future_ratio, []).append(stage)
    return [
        f"evaluation.forecast_ratio is {scored:g}, and masking.future_ratio {trained:g} ({', '.join(names)}): models are "
        "trained to forecast another share of the window than they are scored on; set both to the same"
        for trained, names in stages.items()
    ]
