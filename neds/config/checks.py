"""Every check of what the keys of a configuration say together."""

from collections.abc import Callable

from neds.config.checked import Checked
from neds.config.checks_benchmark import benchmark_faults
from neds.config.checks_data import (
    alignment_faults,
    context_faults,
    gap_faults,
    mapping_faults,
    modality_faults,
    results_faults,
    source_faults,
    split_faults,
)
from neds.config.checks_models import (
    ablation_faults,
    freeze_faults,
    held_out_faults,
    loss_weight_faults,
    override_faults,
    space_faults,
    unit_task_faults,
)
from neds.config.checks_pretrained import pretrained_faults
from neds.config.checks_sessions import region_faults, repetitions, roster_faults, view_faults
from neds.config.checks_tasks import baseline_faults, group_faults
from neds.config.checks_text import blank_faults

__all__ = ["CHECKS", "Checked"]

CHECKS: dict[Callable[[Checked], list[str]], tuple[str, ...]] = {
    blank_faults: (),
    results_faults: ("results",),
    modality_faults: ("modalities", "custom_modalities", "baselines", "source", "partition"),
    group_faults: ("modalities", "custom_modalities", "views"),
    baseline_faults: ("baselines", "modalities", "custom_modalities", "views"),
    alignment_faults: ("source", "partition.align", "views"),
    split_faults: ("source", "partition.split", "partition.window_intervals", "views"),
    gap_faults: ("partition.longest_gap_s", "custom_modalities"),
    mapping_faults: ("source", "nwb", "brainsets", "modalities", "custom_modalities"),
    override_faults: ("overrides", "model", "masking", "training"),
    source_faults: ("source", "sessions", "download.alf_root"),
    context_faults: ("source", "partition", "views", "modalities"),
    repetitions: (
        *("modalities", "modes", "regimes", "seeds", "baselines", "finetune_from", "train_trials"),
        *("pretraining_sets", "loggers", "evaluation.tasks", "views"),
    ),
    loss_weight_faults: ("modalities", "training.loss_weights", "overrides"),
    ablation_faults: ("ablations", "modes", "model", "masking", "training", "overrides"),
    freeze_faults: ("training", "overrides", "model", "masking", "ablations", "regimes", "modes", "pretrained"),
    unit_task_faults: (
        *("evaluation", "modes", "modalities", "custom_modalities", "model", "masking", "training", "overrides"),
    ),
    held_out_faults: ("evaluation", "source", "model", "masking", "training", "overrides", "tune", "ablations"),
    region_faults: ("regions",),
    view_faults: ("views", "baselines", "partition", "modalities", "custom_modalities", "source", "pretrained"),
    pretrained_faults: (
        *("pretrained", "regimes", "modes", "modalities", "custom_modalities", "source", "partition", "tune"),
        *("finetune_from", "pretraining_sets", "arrays"),
    ),
    benchmark_faults: (
        *("benchmark", "seeds", "train_trials", "modes", "regimes", "source", "partition", "views", "finetune_from"),
        "pretrained",
    ),
    space_faults: ("tune", "modes", "model", "masking", "training", "overrides"),
    roster_faults: ("source", "sessions", "synthetic", "regimes", "pretraining_sets", "finetune_from", "pretrained"),
}
"""Each check with the keys that it reads; it is left out where one of these is faulty already."""
