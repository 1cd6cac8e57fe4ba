"""The plan of a configuration: every job, by its rule and wildcards, and by the files that it makes."""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import chain

from neds.config import Config
from neds.files.addresses import is_address
from neds.modalities import Modality
from neds.plan import benchmark, drawings, evaluation, sessions, training
from neds.plan.models import Models
from neds.plan.step import Step, Wildcards, step_key
from neds.roster import Session
from neds.sharing.description import Description, read_description

_ABLATIONS = ["train_variant", "ablation_metrics"]
_SEARCHES = ["tune_pretrain", "tune_scratch", "tune_finetune"]
_BASELINES = ["pretrain_baseline", "baseline", "network_baseline"]
_TRAININGS = [*_SEARCHES, "pretrain", "train_from_scratch", "finetune", "train_variant"]
TARGETS = {
    "sessions": ["partition", "import_arrays", "sessions_table"],
    "models": _TRAININGS,
    "baselines": _BASELINES,
    "ablations": [*_ABLATIONS],
    "tables": ["sessions_table", *_BASELINES, "evaluate", "ensemble", "metrics_table", "ablation_metrics", "table"],
    "figures": [
        *("unit_embeddings", "unit_embeddings_of_pretrained", "classify_regions", "map_units"),
        *("figure", "session_figure", "learning_figure", "search_figure", "left_out"),
    ],
    "benchmark": [
        *("benchmark_decoding", "benchmark_unit_tasks", "benchmark_region_units", "benchmark_regions"),
        *("benchmark_submission", "benchmark_scores", "sessions_table", "left_out"),
    ],
    "pages": ["configuration_table", "software_table", "table_page"],
}
"""The rules whose files each target asks for."""
_OF_EVERY_RUN = {"sessions_table", "left_out"}
_ASKED_BY = {
    "ablations": "ablations.tables or ablations.variants",
    "baselines": "baselines",
    "benchmark": "benchmark.label",
}
"""The key without which a target has no files of its own."""


class Plan:
    """All that a configuration makes of its sessions.

    Attributes:
        config, sessions: what was asked for.
        results: folder of everything that is written.
        train, test: EIDs by role, in the order of the sheet.
        modalities: the registry in use, by name.
        models: which models are trained, and what figures are about.
    """

    def __init__(
        self, config: Config, roster: list[Session], configuration_rows: list[tuple[str, str, str]] | None = None
    ) -> None:
        """
        Args:
            configuration_rows: key, value and origin of every value of the configuration, for the report.
        """
        self.config: Config = config
        self.configuration_rows = configuration_rows or []
        self.sessions = roster
        self.results = config.results
        self.train = [session.eid for session in roster if session.role == "train"]
        self.test = [session.eid for session in roster if session.role == "test"]
        self.modalities: dict[str, Modality] = config.modality_registry()
        self.models: Models = Models(config, roster)

    @cached_property
    def shared(self) -> Description | None:
        """Somebody else's model, from which the models are fine-tuned; None where they are pretrained here."""
        return read_description(self.config.pretrained) if self.config.pretrained else None

    def path(self, *parts: str) -> str:
        """A path below the folder of results."""
        return "/".join([self.results, *parts])

    def aligned(self, eid: str) -> str:
        return self.path("aligned", f"{eid}.h5")

    def members(self, pretraining_set: str) -> list[str]:
        """EIDs of a pretraining set, sorted: the order of the sheet may tell which they are, and nothing else.

        The set of a view is called <set>_<view>.
        """
        view = next((name for name in self.config.views if pretraining_set.endswith(f"_{name}")), "")
        name = pretraining_set.removesuffix(f"_{view}") if view else pretraining_set
        return sorted(self.config.pretraining_eids(name, self.sessions, view))

    def view_of(self, eid: str) -> str:
        """The view that a session is; empty where there are none."""
        return self._by_eid[eid].view

    def session(self, eid: str) -> Session:
        return self._by_eid[eid]

    def recording(self, eid: str) -> str:
        """The EID of the recording that a session is a view of; its own where there are no views."""
        return self._by_eid[eid].recording

    @cached_property
    def addresses(self) -> list[str]:
        """Of the recordings that stay on servers."""
        return list(dict.fromkeys(session.path for session in self.sessions if is_address(session.path)))

    def raw(self, session: Session) -> str:
        """The raw file of the recording that a session is a view of."""
        return self.path("raw", f"{session.recording}.h5")

    def step(self, rule: str, wildcards: Wildcards) -> Step:
        """The job of a rule.

        Raises:
            KeyError: the configuration has no such job.
        """
        return self._by_key[step_key(rule, wildcards)]

    @cached_property
    def steps(self) -> list[Step]:
        """All jobs; what a job reads is made by an earlier one, or is a file from outside."""
        return list(self._all())

    @cached_property
    def made_by(self) -> dict[str, Step]:
        """The job that makes each file."""
        return {path: step for step in self.steps for path in step.outputs.values()}

    def outputs(self, rule: str) -> list[str]:
        """Files of all jobs of a rule."""
        return [path for step in self.steps if step.rule == rule for path in step.outputs.values()]

    def names(self, rule: str, wildcard: str) -> list[str]:
        """All values of a wildcard among the jobs of a rule."""
        return list(dict.fromkeys(step.wildcards[wildcard] for step in self.steps if step.rule == rule))

    def pattern(self, rule: str, wildcard: str) -> str:
        """Regular expression of all values of a wildcard among the jobs of a rule."""
        return "|".join(map(re.escape, self.names(rule, wildcard))) or "none"

    def targets(self, *groups: str) -> list[str]:
        """All files of the given targets, such as "figures"; without raw recordings and the like."""
        rules = [rule for group in groups for rule in TARGETS[group]]
        steps = [step for step in self.steps if step.rule in rules and step.is_target]
        return [path for step in steps for path in step.outputs.values()]

    def nothing_for(self, target: str) -> str:
        """Why a target that was asked for has no files of its own, and the key that would change it; empty where it has."""
        if target not in _ASKED_BY or any(self.has(rule) for rule in set(TARGETS[target]) - _OF_EVERY_RUN):
            return ""
        return f"target {target}: nothing is asked for; set config key {_ASKED_BY[target]} (docs/configuration.md)"

    def has(self, rule: str) -> bool:
        return any(step.rule == rule for step in self.steps)

    @cached_property
    def _by_eid(self) -> dict[str, Session]:
        return {session.eid: session for session in self.sessions}

    @cached_property
    def _by_key(self) -> dict[tuple[str, frozenset[tuple[str, str]]], Step]:
        return {step.key: step for step in self.steps}

    def _all(self) -> Iterator[Step]:
        stages = (sessions, training, evaluation, benchmark, drawings)
        return chain.from_iterable(stage.steps(self) for stage in stages)
