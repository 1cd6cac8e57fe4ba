"""Which figures and tables a configuration can fill, and what it would take to fill the others."""

from typing import get_args

from neds.ablations.settings import AblationName
from neds.config import Config
from neds.figures.names import model_label
from neds.model.modes import ModeName
from neds.roster import Session

# By path below the folder of figures; {mode} and {eid} stand for one file per mode and per test session.
FIGURES = {
    "overview": "masking schemes and network (Fig. 1)",
    "metrics": "scores of all models (Fig. 2A)",
    "gain": "NEDS multi-session against single-session (Fig. 2B)",
    "{eid}/psths": "trial-averaged rates (Fig. 2C)",
    "{eid}/raster": "single-trial variability (Fig. 2D)",
    "{eid}/traces": "decoded traces (Fig. 2E, F)",
    "multi_session": "NEDS against other multi-session models (Fig. 3)",
    "regions": "regions of units by their embeddings (Fig. 4A-C)",
    "pretraining_size": "score against number of pretraining sessions",
    "data_efficiency": "score against number of training trials",
    "region_encoding": "encoding by brain region",
    "calibration": "calibration of decoded classes",
    "learning/{mode}-pretraining": "learning curves of pretraining",
    "learning/{mode}-sessions": "learning curves on the test sessions",
}
TABLES = {
    "benchmark": "scores of all models (Table 10)",
    "encoding_inputs": "encoding by input variable (Table 1)",
    "ablation_schemes": "masking schemes removed (Table 2)",
    "ablation_size": "model size (Table 9)",
    "ablation_embeddings": "embeddings removed (Table 11)",
}

Condition = tuple[bool, str]
"""Whether something is configured, and what would configure it."""


class Catalogue:
    """What the figures of one configuration are drawn from.

    "NEDS multi-session" is fine-tuned from the first set of `finetune_from`. Models that were trained with fewer trials
    than there are appear in the figure of data efficiency alone.

    Attributes:
        modes: the multimodal model, or the unimodal ones where it is not trained: what figures of NEDS are about.
    """

    def __init__(self, config: Config, sessions: list[Session]) -> None:
        self._config = config
        self._baselines = config.baselines_in_use(sessions)
        self.modes = [mode for mode in config.modes if mode == "mm"] or list(config.modes)
        self._set_sizes = {len(config.pretraining_eids(name, sessions)) for name in config.finetune_from}

    def models(self, modes: list[str] | None = None) -> list[str]:
        """Labels of the single- and multi-session models of some modes, `self.modes` when omitted."""
        chosen = self.modes if modes is None else modes
        return [self._label(mode, way) for mode in chosen for way in self._ways()]

    def compared(self) -> list[str]:
        """Labels of all models that the figure of scores shows: baselines, unimodal and multimodal models."""
        return [*self._baselines, *self.models(self._config.modes)]

    def tabulated(self) -> list[str]:
        """Those of the figure of scores, and the models that are fine-tuned from the other pretraining sets."""
        others = [self._label(mode, way) for mode in self._config.modes for way in self._other_sets(mode).values()]
        return [*self.compared(), *others]

    def drawn(self, task: str) -> list[str]:
        """Labels of the models whose predictions of encoding or decoding are drawn."""
        return self.models([mode for mode in self.modes if mode in ("mm", task)])

    def main(self, task: str) -> str:
        """The one model of a task that is shown where only one is: the multi-session model, if there is one."""
        mode = "mm" if "mm" in self.modes else task
        return self._label(mode, self._multi() if "finetuned" in self._config.regimes else "scratch")

    def decoders(self) -> list[str]:
        """Labels of all models that give probabilities of classes."""
        modes = [mode for mode in self._config.modes if mode != "encoding"]
        return [*(name for name in self._baselines if name not in ("psth", "oracle")), *self.models(modes)]

    def gain_rows(self) -> list[list[tuple[str, str]]]:
        """Rows of pairs for `neds.figures.pairs`: multi-session against single-session."""
        return [[(self._label(mode, self._multi()), self._label(mode, "scratch")) for mode in self.modes]]

    def multi_session_rows(self) -> list[list[tuple[str, str]]]:
        """Rows of pairs for `neds.figures.pairs`: multi-session NEDS against each other multi-session model."""
        ours = {mode: self._label(mode, self._multi()) for mode in self.modes}
        rows = [[(label, "rrr-multi") for label in ours.values()]] if "rrr-multi" in self._baselines else []
        others = self._other_sets(self.modes[0]).values()
        return rows + [[(ours[mode], self._label(mode, way)) for mode in self.modes] for way in others]

    def pretraining_curves(self) -> list[dict[str, str]]:
        """By pretraining set ("" for none) the label of the model, a curve per mode."""
        ways = {"": "scratch"} if "scratch" in self._config.regimes else {}
        ways |= {name: f"finetuned-{name}" for name in self._config.finetune_from}
        return [{name: self._label(mode, way) for name, way in ways.items()} for mode in self.modes]

    def trial_curves(self) -> list[dict[str, str]]:
        """By number of trials the label of the model, a curve per mode and way of training."""
        numbers = {str(number): "" if number == "all" else f"-{number}trials" for number in self._config.train_trials}
        ways = self._ways(with_all_trials=False)
        return [
            {number: self._label(mode, way + suffix) for number, suffix in numbers.items()}
            for mode in self.modes
            for way in ways
        ]

    def left_out(self) -> dict[str, str]:
        """What each figure and table needs that this configuration cannot fill, by its key in FIGURES or TABLES."""
        missing = {
            name: " and ".join(how for there, how in conditions if not there)
            for name, conditions in self._conditions().items()
        }
        return {name: how for name, how in missing.items() if how}

    def messages(self) -> list[str]:
        """A line for each figure, table or part of one that is left out, and what would make it."""
        needs = self.left_out()
        lines = [
            f"{folder}/{name}, {title}: left out; to have it, {needs[name]}"
            for folder, titles in (("figures", FIGURES), ("tables", TABLES))
            for name, title in titles.items()
            if name in needs
        ]
        return lines + [f"figures/metrics and tables/benchmark: without {part}" for part in self._absent_models()]

    def _conditions(self) -> dict[str, list[Condition]]:
        """What each figure and table needs; nothing where it is not named."""
        config = self._config
        behaviours = [m for m in config.modality_registry().values() if m.group == "behaviour"]
        scratch, pretrained = (
            (regime in config.regimes, f"add {regime} to regimes") for regime in ("scratch", "finetuned")
        )
        encodes, decodes = (
            (any(mode in ("mm", task) for mode in config.modes), f"add mm or {task} to modes")
            for task in ("encoding", "decoding")
        )
        continuous, categorical = (
            (any(m.kind == kind for m in behaviours), f"add a {kind} behaviour to modalities")
            for kind in ("continuous", "categorical")
        )
        all_trials = ("all" in config.train_trials, "add all to train_trials")
        conditions = (config.has_conditions, "align trials to an event (partition: align)")
        multimodal = ("mm" in config.modes, "add mm to modes")
        several_behaviours = (len(behaviours) > 1, "add a second behaviour to modalities")
        other_models = (bool(self.multi_session_rows()), "add rrr-multi to baselines or a second set to finetune_from")
        several_sizes = (len(self._set_sizes) > 1, "add a set of another size to finetune_from")
        several_numbers = (len(config.train_trials) > 1, "give train_trials several numbers, e.g. [25, 50, 100, all]")
        return {
            "gain": [scratch, pretrained, all_trials],
            "{eid}/psths": [conditions, encodes, all_trials],
            "{eid}/raster": [conditions, encodes, all_trials],
            "{eid}/traces": [decodes, continuous, all_trials],
            "multi_session": [pretrained, other_models, all_trials],
            "pretraining_size": [pretrained, several_sizes, all_trials],
            "data_efficiency": [several_numbers],
            "region_encoding": [encodes, all_trials],
            "calibration": [decodes, categorical, all_trials],
            "learning/{mode}-pretraining": [pretrained],
            "learning/{mode}-sessions": [all_trials],
            "encoding_inputs": [encodes, several_behaviours, all_trials],
            "regions": [(config.regions.classes != [], "name regions under regions: classes"), *self._held_out()],
            **{f"ablation_{name}": [multimodal, ablated] for name, ablated in self._ablated().items()},
        }

    def _held_out(self) -> list[Condition]:
        """What there must be to tell regions apart. Whole sessions can be held out only where sessions share a space."""
        config = self._config
        pretrained = "finetuned" in config.regimes
        if config.regions.hold_out == "sessions":
            joint = pretrained and max(self._set_sizes) > 1
            return [(joint, "pretrain on two sessions or more (add finetuned to regimes), or hold out units")]
        return [(pretrained or "all" in config.train_trials, "add all to train_trials")]

    def _ablated(self) -> dict[str, Condition]:
        tables = self._config.ablations.tables
        return {name: (name in tables, f"add {name} to tables under ablations") for name in get_args(AblationName)}

    def _absent_models(self) -> list[str]:
        """Models of the paper's Fig. 2A that are not there, and what would add them."""
        modes, regimes = set(self._config.modes), self._config.regimes
        parts: dict[str, Condition] = {
            "linear": ("linear" in self._baselines, "add linear to baselines"),
            "RRR": ("rrr" in self._baselines, "add rrr to baselines"),
            "unimodal NEDS for encoding": ("encoding" in modes, "add encoding to modes"),
            "unimodal NEDS for decoding": ("decoding" in modes, "add decoding to modes"),
            "multimodal NEDS": ("mm" in modes, "add mm to modes"),
            "NEDS single-session": ("scratch" in regimes, "add scratch to regimes"),
            "NEDS multi-session": ("finetuned" in regimes, "add finetuned to regimes"),
            "NEDS": ("all" in self._config.train_trials, "add all to train_trials"),
        }
        return [f"{part}; to have it, {how}" for part, (there, how) in parts.items() if not there]

    def _multi(self) -> str:
        return f"finetuned-{self._config.finetune_from[0]}"

    def _other_sets(self, mode: ModeName) -> dict[str, str]:
        """How a mode's models of the other pretraining sets are trained, by set."""
        if "finetuned" not in self._config.regimes or "all" not in self._config.train_trials:
            return {}
        return {name: f"finetuned-{name}" for name in self._config.finetune_sets(mode)[1:]}

    def _ways(self, *, with_all_trials: bool = True) -> list[str]:
        """The regimes in use, as `training` names them, with the first pretraining set."""
        if with_all_trials and "all" not in self._config.train_trials:
            return []
        return [self._multi() if regime == "finetuned" else regime for regime in self._config.regimes]

    def _label(self, mode: str, training: str) -> str:
        return model_label(f"neds-{mode}", training)
