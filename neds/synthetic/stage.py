"""Stage synthesize: one generated session as an ALF tree, and the truth behind it."""

import numpy as np

from neds.files.atomic import replacing_folder
from neds.files.roles import OutputFile, OutputFolder
from neds.synthetic.alf_tree import draw_uuids, write_alf_tree
from neds.synthetic.behaviour import simulate_behaviour
from neds.synthetic.neurons import GRID_S, simulate_population
from neds.synthetic.settings import SyntheticSessionSettings
from neds.synthetic.task import simulate_task
from neds.synthetic.truth import Rates, write_truth


def synthesize(
    *,
    settings: SyntheticSessionSettings,
    index: int,
    session_path: str,
    alf_root: OutputFolder,
    truth: OutputFile,
    without_cameras: bool = False,
) -> None:
    """Generate session `index` of the data set.

    Args:
        settings: config block `synthetic`, less what concerns the list of sessions.
        index: number of the session in the data set; the session's randomness follows from (seed, index) alone.
        session_path: <lab>/Subjects/<subject>/<date>/<number>, relative to `alf_root`.
        alf_root: root of the ALF tree to write; a folder that is empty or new.
        truth: the truth file to write.
        without_cameras: leave out the camera files.
    """
    # A stream for each part, so that a change of one leaves the draws of the others alone.
    of_task, of_behaviour, of_sizes, of_neurons, of_files = np.random.default_rng([settings.seed, index]).spawn(5)
    n_good = int(of_sizes.integers(settings.units_min, settings.units_max + 1))
    n_trials = int(of_sizes.integers(settings.n_trials, (settings.n_trials_max or settings.n_trials) + 1))
    task = simulate_task(of_task, n_trials=n_trials)
    behaviour = simulate_behaviour(of_behaviour, task=task)
    population = simulate_population(
        of_neurons,
        task=task,
        behaviour=behaviour,
        n_good=n_good,
        n_noise=settings.noise_units,
        n_probes=settings.n_probes,
    )
    uuids = draw_uuids(of_files, len(population.units))
    rates: dict[Rates, np.ndarray] = {
        "rate_hz": population.rate_hz,
        "rate_given_behaviour_hz": population.rate_given_behaviour_hz,
    }
    write_truth(truth, uuids=uuids, rates=rates, start_s=0.0, dt_s=GRID_S)

    with replacing_folder(alf_root) as temporary:
        write_alf_tree(
            temporary / session_path,
            of_files,
            task=task,
            behaviour=behaviour,
            population=population,
            uuids=uuids,
            with_cameras=not without_cameras,
        )
