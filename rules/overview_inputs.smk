# What Figure 1 is drawn from: the configuration alone, or, where that does not say how many bins a trial has, sessions too.


def bins_of_a_trial():
    """Bins that partition cuts a trial into; None for own arrays, whose files say it."""
    if CONFIG.source == "aligned":
        return None
    return CONFIG.partition.n_bins


def overview_inputs():
    return {} if bins_of_a_trial() else {"aligned": expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=TEST_EIDS)}


def overview_option():
    return "" if bins_of_a_trial() else " ".join(["--aligned", *overview_inputs()["aligned"]])


def overview_settings():
    return as_json(
        {
            "modes": CONFIG.modes,
            "modalities": modality_entries(),
            "model": CONFIG.model.model_dump(),
            "masking": CONFIG.masking.model_dump(),
            "n_bins": bins_of_a_trial(),
        }
    )
