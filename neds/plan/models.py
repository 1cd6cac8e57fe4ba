"""Which models a configuration trains, and which of them each figure and table is about."""

from collections.abc import Iterable
from dataclasses import replace

from neds.ablations.variants import Ablation, ablations_in_use, variants_in_use
from neds.baselines.registry import baselines
from neds.config import Config
from neds.model.modes import ModeName
from neds.partition.views import in_view
from neds.roster import Session
from neds.run import Run


class Models:
    """The models of a configuration.

    "NEDS multi-session" is fine-tuned from the first set of `finetune_from`, or from somebody else's model. Models that were
    trained with fewer trials than there are appear in the figure of data efficiency alone.

    Attributes:
        modes: the multimodal model, or the unimodal ones where it is not trained: what figures of NEDS are about.
        baselines: those that this source and these sessions allow.
        set_sizes: numbers of sessions of the pretraining sets.
        ablations: tables of variants, by name.
        variants: what each changes, by name.
    """

    def __init__(self, config: Config, sessions: list[Session]) -> None:
        self._config = config
        self.baselines = config.baselines_in_use(sessions)
        self.modes: list[ModeName] = [mode for mode in config.modes if mode == "mm"] or list(config.modes)
        own = [] if config.pretrained else config.finetune_from
        first = next(iter(config.views), "")
        self.set_sizes = {len(config.pretraining_eids(name, sessions, first)) for name in own}
        scratch = config.run_settings("scratch", "mm").model
        self.ablations: dict[str, Ablation] = ablations_in_use(config.ablations, scratch)
        self.variants = variants_in_use(config.ablations, scratch)

    def pretrained(self) -> list[Run]:
        """All pretrainings, of every seed; none where nothing is fine-tuned, or somebody else's model is."""
        if "finetuned" not in self._config.regimes or self._config.pretrained:
            return []
        views = list(self._config.views) or [""]
        kinds = [
            (mode, in_view(name, view)) for mode in self._config.modes for name in self.sets(mode) for view in views
        ]
        return [
            Run(mode=mode, regime="pretrained", pretraining_set=name, seed=seed)
            for mode, name in kinds
            for seed in self._config.seeds
        ]

    def of_sessions(self) -> list[Run]:
        """All models of each test session, of every seed, without the variants."""
        return [run for mode in self._config.modes for run in self._trained(mode)]

    def ensembles(self) -> list[Run]:
        """Of each model of each test session the mean of its seeds, where there are several."""
        if not self._config.ensembles or len(self._config.seeds) < 2:
            return []
        return [
            replace(run, seed=None, is_ensemble=True) for run in dict.fromkeys(map(_of_all_seeds, self.of_sessions()))
        ]

    def of_variants(self) -> list[Run]:
        """The variants of each test session's multimodal model, of every seed."""
        return [
            Run(mode="mm", regime="scratch", variant=name, seed=seed)
            for name in self.variants
            for seed in self._config.seeds
        ]

    def unchanged(self) -> list[Run]:
        """What the variants are compared with, of every seed."""
        return [Run(mode="mm", regime="scratch", seed=seed) for seed in self._config.seeds]

    def sets(self, mode: ModeName) -> list[str]:
        """Pretraining sets from which models of a mode are fine-tuned."""
        return self._config.sets_in_use if self._is_for_curves(mode) else self._config.sets_in_use[:1]

    def own(self, modes: list[ModeName] | None = None) -> list[Run]:
        """The single- and multi-session models of some modes, `self.modes` when omitted, without seeds."""
        chosen = self.modes if modes is None else modes
        return [run for mode in chosen for run in self._ways(mode)]

    def compared(self) -> list[str]:
        """Labels of all models that the figure of scores shows: baselines, unimodal and multimodal models."""
        return [*self.baselines, *self._with_ensembles(self.own(self._config.modes))]

    def tabulated(self) -> list[str]:
        """Those of the figure of scores, and the models that are fine-tuned from the other pretraining sets."""
        others = [run for mode in self._config.modes for run in self._other_sets(mode)]
        return self.compared() + self._with_ensembles(others)

    def drawn(self, task: str) -> list[Run]:
        """The models whose predictions of encoding or decoding are drawn."""
        return self.own([mode for mode in self.modes if mode in ("mm", task)])

    def main(self, task: ModeName) -> Run:
        """The one model of a task that is shown where only one is: the multi-session model, if there is one."""
        mode: ModeName = "mm" if "mm" in self.modes else task
        return self._multi(mode) if "finetuned" in self._config.regimes else Run(mode=mode, regime="scratch")

    def decoders(self) -> list[str]:
        """Names of all models that give probabilities of classes, of the first seed where they have one."""
        modes: list[ModeName] = [mode for mode in self._config.modes if mode != "encoding"]
        classifiers = [name for name in self.baselines if baselines()[name].decodes_classes]
        return classifiers + self.first(self.own(modes))

    def first(self, runs: list[Run]) -> list[str]:
        """Names of the models of the first seed, whose predictions are drawn."""
        seed = self._config.seeds[0]
        return [f"{run.label}-seed{seed}" for run in runs]

    def gain_rows(self) -> list[list[tuple[str, str]]]:
        """Rows of pairs for `neds.figures.pairs`: multi-session against single-session."""
        return [[(self._multi(mode).label, Run(mode=mode, regime="scratch").label) for mode in self.modes]]

    def multi_session_rows(self) -> list[list[tuple[str, str]]]:
        """Rows of pairs for `neds.figures.pairs`: multi-session NEDS against each other multi-session model."""
        ours = {mode: self._multi(mode).label for mode in self.modes}
        fitted_to_many = [name for name in self.baselines if baselines()[name].needs == "others"]
        rows = [[(label, name) for label in ours.values()] for name in fitted_to_many]
        others = [run.pretraining_set for run in self._other_sets(self.modes[0])]
        return rows + [
            [(ours[mode], Run(mode=mode, regime="finetuned", pretraining_set=name).label) for mode in self.modes]
            for name in others
        ]

    def pretraining_curves(self) -> list[dict[str, str]]:
        """By pretraining set ("" for none) the label of the model, a curve per mode."""
        curves = []
        for mode in self.modes:
            curve = {"": Run(mode=mode, regime="scratch").label} if "scratch" in self._config.regimes else {}
            for name in self._config.sets_in_use:
                curve[name] = Run(mode=mode, regime="finetuned", pretraining_set=name).label
            curves.append(curve)
        return curves

    def trial_curves(self) -> list[dict[str, str]]:
        """By number of trials the label of the model, a curve per mode and way of training."""
        return [
            {str(number): _with_trials(way, number).label for number in self._config.train_trials}
            for mode in self.modes
            for way in self._regimes(mode)
        ]

    def _with_ensembles(self, runs: list[Run]) -> list[str]:
        """Labels of models, each followed by that of its ensemble where there is one."""
        ensembles = set(labels(self.ensembles()))
        pairs = ((run, replace(run, is_ensemble=True)) for run in runs)
        return [each.label for pair in pairs for each in pair if not each.is_ensemble or each.label in ensembles]

    def _trained(self, mode: ModeName) -> list[Run]:
        sets = [Run(mode=mode, regime="finetuned", pretraining_set=name) for name in self.sets(mode)]
        from_scratch = [Run(mode=mode, regime="scratch")]
        ways = [way for regime in self._config.regimes for way in (from_scratch if regime == "scratch" else sets)]
        numbers = self._config.train_trials
        if not self._is_for_curves(mode):
            numbers = ["all"] if "all" in numbers else [max(numbers)]
        runs = [_with_trials(way, number) for number in numbers for way in ways]
        return [replace(run, seed=seed) for run in runs for seed in self._config.seeds]

    def _is_for_curves(self, mode: ModeName) -> bool:
        return self._config.unimodal_curves or mode == "mm" or "mm" not in self._config.modes

    def _multi(self, mode: ModeName) -> Run:
        return Run(mode=mode, regime="finetuned", pretraining_set=self._config.sets_in_use[0])

    def _other_sets(self, mode: ModeName) -> list[Run]:
        """A mode's models of the other pretraining sets."""
        if "finetuned" not in self._config.regimes or "all" not in self._config.train_trials:
            return []
        return [Run(mode=mode, regime="finetuned", pretraining_set=name) for name in self.sets(mode)[1:]]

    def _ways(self, mode: ModeName) -> list[Run]:
        """The models of all trials of a mode with the first pretraining set."""
        return self._regimes(mode) if "all" in self._config.train_trials else []

    def _regimes(self, mode: ModeName) -> list[Run]:
        ways = {"scratch": Run(mode=mode, regime="scratch"), "finetuned": self._multi(mode)}
        return [ways[regime] for regime in self._config.regimes]


def labels(runs: Iterable[Run]) -> list[str]:
    return [run.label for run in runs]


def _of_all_seeds(run: Run) -> Run:
    return replace(run, seed=None)


def _with_trials(run: Run, number: int | str) -> Run:
    return replace(run, trials=None if number == "all" else int(number))
