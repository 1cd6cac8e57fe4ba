"""Keys that somebody wrote and that nothing reads under this configuration.

One rule for all of them: they are told before anything runs, and refuse nothing, because a file may serve several sources or
regimes. What two keys of one block contradict each other in is refused where the block is defined.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neds.baselines.registry import baselines
from neds.config.layers import leaves
from neds.config.possible import may_be, of_scheme, of_task
from neds.config.schema import Config
from neds.conversion.settings import MAPPINGS
from neds.regions.settings import RegionSettings
from neds.roster import Session
from neds.validation import overlap


@dataclass(frozen=True)
class Condition:
    """When keys have an effect.

    Attributes:
        keys: dotted keys, or blocks, for all of their keys.
        holds: whether something reads them.
        otherwise: why nothing does, to follow "has no effect:".
    """

    keys: tuple[str, ...]
    holds: Callable[[Config], bool]
    otherwise: Callable[[Config], str]


def _of_sources(keys: tuple[str, ...], *sources: str) -> Condition:
    return Condition(keys, lambda c: c.source in sources, lambda c: f"is not used with source {c.source}")


def _pretrains(config: Config) -> bool:
    return "finetuned" in config.regimes and not config.pretrained


def _extras(config: Config) -> list[str]:
    return list(config.download_settings().extras or [])


def _cut(config: Config, test: Callable[[Any], bool]) -> bool:
    return any(map(test, config.cuttings().values()))


def _has_curve(config: Config) -> bool:
    several_sets = "finetuned" in config.regimes and len(config.sets_in_use) > 1
    return "mm" in config.modes and len(config.modes) > 1 and (several_sets or len(config.train_trials) > 1)


_OF_RECORDINGS = (
    *("align", "window_start_s", "window_end_s", "bin_s", "trial_rule", "longest_silence_s", "longest_gap_s", "holes"),
    "trace_values",
)
"""Keys of partition that cut a recording, which arrays that are cut already do not need."""

CONDITIONS = (
    _of_sources(("synthetic",), "synthetic"),
    _of_sources(("download.alf_root",), "alf"),
    _of_sources(("download.cache_dir", "download.base_url", "download.pause_s"), "one"),
    _of_sources(("download",), "synthetic", "alf", "one"),
    _of_sources(("arrays",), "aligned"),
    *(_of_sources((name,), name) for name in MAPPINGS),
    Condition(
        tuple(f"partition.{name}" for name in _OF_RECORDINGS),
        lambda c: c.source != "aligned",
        lambda c: f"is not used with source {c.source}",
    ),
    Condition(("download.pose_tracker",), lambda c: "paws" in _extras(c), lambda c: "no paw is among the modalities"),
    Condition(("download.lfp",), lambda c: "lfp" in _extras(c), lambda c: "lfp is not among the modalities"),
    Condition(
        ("partition.align", "partition.window_start_s", "partition.window_end_s"),
        lambda c: not c.views,
        lambda c: "every view has its own",
    ),
    Condition(
        ("partition.trial_rule",), lambda c: _cut(c, lambda cut: not cut.cuts_windows), lambda c: "there are no trials"
    ),
    Condition(
        ("partition.whisker_camera",),
        lambda c: "whisker_motion_energy" in c.modalities and c.source != "aligned",
        lambda c: "whisker_motion_energy is computed from no camera here",
    ),
    Condition(
        ("partition.split_intervals",),
        lambda c: c.partition.split == "file",
        lambda c: f"is of split file, and split is {c.partition.split}",
    ),
    Condition(
        ("partition.split_blocks", "partition.split_gap_s"),
        lambda c: c.partition.split == "blocks",
        lambda c: f"is of split blocks, and split is {c.partition.split}",
    ),
    Condition(
        ("partition.split_fractions", "partition.split_seed"),
        lambda c: c.partition.split != "file",
        lambda c: "the file says the splits",
    ),
    Condition(
        ("pretraining_sets", "finetune_from", "training.sampling", "training.absent_sessions"),
        _pretrains,
        lambda c: "no network is pretrained",
    ),
    Condition(
        ("unimodal_curves",), _has_curve, lambda c: "there is no unimodal model beside mm, or no curve to be shown"
    ),
    Condition(("ensembles",), lambda c: len(c.seeds) > 1, lambda c: "there is one seed"),
    Condition(
        ("model.attention_dropout_of",),
        lambda c: may_be(c, "model", "attention_dropout", lambda share: share > 0),
        lambda c: "attention_dropout is 0",
    ),
    Condition(("masking.single_behaviour",), of_scheme("encoding"), lambda c: "masking.weights has no encoding"),
    Condition(
        ("masking.unit_ratio", "masking.units_without_behaviour"),
        of_scheme("units"),
        lambda c: "masking.weights has no units",
    ),
    Condition(("masking.future_ratio",), of_scheme("future"), lambda c: "masking.weights has no future"),
    Condition(
        ("tune.method", "tune.seed", "tune.cpus_per_trial", "tune.gpus_per_trial"),
        lambda c: bool(c.tune.stages),
        lambda c: "tune.stages is empty",
    ),
    Condition(
        ("tune.n_trials", "tune.space"),
        lambda c: not {"pretrain", "scratch"}.isdisjoint(c.tune.stages),
        lambda c: "tune.stages has neither pretrain nor scratch",
    ),
    Condition(
        ("tune.finetune_n_trials", "tune.finetune_space"),
        lambda c: "finetuned" in c.tune.stages,
        lambda c: "tune.stages has no finetuned",
    ),
    Condition(
        ("evaluation.held_out_share", "evaluation.held_out_seed"),
        lambda c: c.evaluation.held_out_column is None and not c.evaluation.held_out_uuids,
        lambda c: "the held-out units are named",
    ),
    Condition(
        tuple(f"evaluation.held_out_{name}" for name in ("share", "seed", "column", "uuids")),
        of_task("co_smoothing"),
        lambda c: "there is no co-smoothing; add it to evaluation.tasks",
    ),
    Condition(
        ("evaluation.forecast_ratio",),
        of_task("forecasting"),
        lambda c: "there is no forecasting; add it to evaluation.tasks",
    ),
    Condition(
        tuple(f"regions.{name}" for name in RegionSettings.model_fields if name != "classes"),
        lambda c: c.regions.classes != [],
        lambda c: "regions.classes is empty",
    ),
    Condition(
        ("regions.neighbors",), lambda c: c.regions.projection == "umap", lambda c: "is of umap, and projection is pca"
    ),
    *(
        Condition(
            (f"rivals.{block}",),
            lambda c, block=block: any(baselines()[name].settings == block for name in c.baselines),  # type: ignore[misc]
            lambda c, block=block: f"baselines has no {block}",  # type: ignore[misc]
        )
        for block in ("ndt2", "poyo")
    ),
)


def unused_keys(config: Config, sessions: list[Session], origins: Mapping[str, str]) -> list[str]:
    """A sentence for each key that somebody wrote, other than it is by default, and that has no effect.

    Args:
        sessions: the roster.
        origins: of the keys that somebody wrote, the name of the file.
    """
    defaults = dict(leaves(Config, Config().model_dump()))
    own = {
        key: value
        for key, value in leaves(Config, config.model_dump())
        if key in origins and value != defaults.get(key)
    }
    idle = {key: why for key in own if (why := _why_idle(config, key))}
    for key, value in own.items():
        if key not in idle:
            idle |= dict(_parts(config, sessions, key, value))
    return [f"{key} ({_origin(key, origins)}) has no effect: {why}" for key, why in idle.items()]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Of a key, or of what holds it."""
    return next(origin for known, origin in origins.items() if overlap(known, key.partition(":")[0]))


def _why_idle(config: Config, key: str) -> str:
    """Why a key has no effect; empty where it has one."""
    conditions = (each for each in CONDITIONS if any(f"{key}.".startswith(f"{named}.") for named in each.keys))
    return next((each.otherwise(config) for each in conditions if not each.holds(config)), "")


def _parts(config: Config, sessions: list[Session], key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Entries of a list or mapping that have none, each with the reason."""
    if key == "overrides":
        used = {"pretrain": _pretrains(config), "finetuned": "finetuned" in config.regimes}
        variants = [*config.ablations.tables, *config.ablations.variants]
        used |= {"scratch": "scratch" in config.regimes or bool(variants)}
        ours = Config().overrides
        # What is left of the shipped overrides where a later file gave its own value for some was written by nobody.
        for name in (each for each, changes in value.items() if not changes.items() <= ours.get(each, {}).items()):
            if idle := next((word for word in name.split() if not used.get(word, word in config.modes)), ""):
                where = "modes" if idle in ("mm", "encoding", "decoding") else "regimes"
                yield f"overrides.{name}", "nothing is pretrained" if idle == "pretrain" else f"{where} has no {idle}"
    if key == "custom_modalities":
        yield from ((f"{key}.{name}", "modalities does not name it") for name in value if name not in config.modalities)
    if key == "pretraining_sets" and _pretrains(config):
        idle_sets = [name for name in value if name not in config.finetune_from]
        yield from ((f"{key}.{name}", "finetune_from does not name it") for name in idle_sets)
    if key == "tune.stages":
        used = {"pretrain": _pretrains(config), "finetuned": "finetuned" in config.regimes}
        used |= {"scratch": "scratch" in config.regimes}
        yield from ((f"{key}: {stage}", "no such model is trained") for stage in value if not used[stage])
    if key == "baselines":
        left_out = [name for name in value if name not in config.baselines_in_use(sessions)]
        yield from ((f"{key}: {name}", f"it needs {_NEEDS[baselines()[name].needs]}") for name in left_out)
    if key == "views" and config.partition.split != "file":
        why = f"is of split file, and partition.split is {config.partition.split}"
        yield from ((f"views.{name}.split_intervals", why) for name, view in value.items() if view["split_intervals"])


_NEEDS = {
    "truth": "source synthetic",
    "conditions": "trials of task conditions",
    "others": "sessions of role train",
    "": "spikes",
}
"""What a baseline needs that is left out."""
