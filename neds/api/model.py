"""Trained models in Python. Shapes: K trials, T bins, N units, D width of the model."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from neds.ablations.changes import key_faults, with_changes
from neds.config.overrides import RunSettings, is_shape
from neds.config.schema import Config
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.evaluation.predict import predict
from neds.evaluation.tasks import Task
from neds.files.aligned import SPLITS, AlignedSession, write_aligned
from neds.modalities import Modality
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.model.known import KnownSession, as_trained, bins_fault
from neds.model.network import NEDS
from neds.regions.extract import unit_embeddings
from neds.sharing.places import weights_of
from neds.training.settings import TrainingRun
from neds.training.stage import run_training
from neds.validation import validated

TrialsName = Literal["all", "train", "val", "test"]


def load_model(path: str | PathLike[str]) -> "Model":
    """Load a trained model: a checkpoint (`best.safetensors`), or a folder that `neds export` or `neds import` wrote.

    Nothing is unpickled. A URL is for `neds import`, which checks what it fetches and keeps it.

    Raises:
        UserError: missing or damaged, or no network was trained.
    """
    network, checkpoint = load_network(weights_of(path))
    return Model(network, checkpoint, name=str(path))


class Model:
    """A trained model. It predicts sessions that it was trained on; for any other, `finetune` it first.

    Attributes:
        name: what messages call it, e.g. the path that it was loaded from.
        network: the torch module.
        checkpoint: its design, its sessions, and how it came about.
    """

    def __init__(self, network: NEDS, checkpoint: Checkpoint, *, name: str) -> None:
        self.network = network
        self.checkpoint = checkpoint
        self.name = name

    def __repr__(self) -> str:
        mode = self.network.design.mode
        return f"Model({self.name}: {', '.join(mode.inputs)} -> {', '.join(mode.outputs)}; {len(self.eids)} sessions)"

    @property
    def eids(self) -> list[str]:
        """The sessions that it was trained on."""
        return [shape.eid for shape in self.network.session_shapes]

    @property
    def modalities(self) -> dict[str, Modality]:
        """What it reads or predicts, by name."""
        return self.network.design.modalities

    def encode(
        self, session: AlignedSession, *, given: Sequence[str] | None = None, trials: TrialsName = "all"
    ) -> dict[str, np.ndarray]:
        """Predict neural activity from behaviour.

        Args:
            session: one that the model was trained on, or further trials of it, with the same units.
            given: modalities that the model sees; all behaviours that it reads when omitted.
            trials: which trials, in the order of the session.

        Returns:
            By modality: counts (K, T, N) expected spikes per bin (over `session.bin_s`: spikes per second); continuous
            (K, T, width) in its unit.

        Raises:
            UserError: the session does not fit the model, or the model cannot encode.
        """
        return self._predict("encoding", "neural", session, given, trials)

    def decode(
        self, session: AlignedSession, *, given: Sequence[str] | None = None, trials: TrialsName = "all"
    ) -> dict[str, np.ndarray]:
        """Predict behaviour from neural activity. Arguments and errors as of `encode`.

        Returns:
            By modality: continuous (K, T, width) in its unit; categorical (K, classes) probabilities; scalar (K,) in its
            unit; counts (K, T, N) expected per bin.
        """
        return self._predict("decoding", "behaviour", session, given, trials)

    def embeddings(self) -> pd.DataFrame:
        """What the model has learned of each unit that it was trained on.

        Returns:
            A row per unit: eid, subject, modality, unit (its column in the session's counts), uuid, probe, acronym, beryl,
            cosmos, and `input_0` ..., `readout_0` ..., two vectors of D values without a unit: what a standard deviation of
            the unit's count adds to a token, and what its rate is read from. A unimodal model has one of them.

        Raises:
            UserError: the checkpoint does not say which units they are.
        """
        known = {one.eid: one.described(self.modalities) for one in self.checkpoint.known}
        if known.keys() != set(self.eids):
            raise UserError(
                f"{self.name}: does not say which units it was trained on; train it again with this version"
            )
        found = unit_embeddings(self.network, [known[eid] for eid in self.eids])
        columns = {f"{kind}_{i}": column for kind, rows in found.rows.items() for i, column in enumerate(rows.T)}
        return pd.concat([found.units, pd.DataFrame(columns)], axis=1)

    def finetune(self, session: AlignedSession, *, settings: Mapping[str, Any] | None = None, seed: int = 0) -> "Model":
        """A model of this session alone, fine-tuned from this one, which stays as it is.

        The encoder starts from this model's, the maps of behaviours from the mean over its sessions, those of the session's
        units afresh. Kept are the best weights on the session's validation trials. Settings are by default those of the
        workflow's fine-tuning.

        Args:
            settings: dotted keys of the blocks masking and training, and dropouts of model, e.g. {"training.epochs": 20}.
            seed: of the training.

        Raises:
            UserError: bins or modalities do not fit, the model has seen test trials of the session, or a setting that is
                none.
        """
        _require_session(session)
        if not isinstance(seed, int) or seed < 0:
            raise UserError(f"seed: must be a whole number, 0 or more, not {seed!r}")
        design = self.network.design
        mode = self.checkpoint.record["run"]["mode"]
        defaults = Config().run_settings("finetuned", mode)
        changes = dict(settings or {})
        faults = dict(key_faults(changes, dict(defaults), whose="fine-tuning"))
        faults |= {key: "is of the pretrained model's shape, which stays" for key in changes if is_shape(key)}
        if faults:
            raise UserError("\n".join(f"settings: {key}: {text}" for key, text in faults.items()))
        chosen = validated(RunSettings, with_changes(defaults.model_dump(), changes), where="settings")
        run = TrainingRun(
            mode=mode,
            modalities=list(design.modalities),
            model=chosen.model,
            masking=chosen.masking,
            training=chosen.training.of_result(),
            seed=seed,
        )
        with tempfile.TemporaryDirectory(prefix="neds-finetune-") as made:
            folder = Path(made)
            write_aligned(folder / "session.h5", session)
            self.save(folder / "pretrained.safetensors")
            best = folder / "best.safetensors"
            try:
                run_training(
                    run=run,
                    aligned=[folder / "session.h5"],
                    best=best,
                    last=folder / "last.safetensors",
                    log_csv=folder / "log.csv",
                    pretrained=folder / "pretrained.safetensors",
                    memory=chosen.training.of_memory(),
                    called=self.name,
                    description=f"fine-tuning on {session.eid}",
                )
            except UserError as error:
                raise UserError(str(error).replace(str(folder / "pretrained.safetensors"), self.name)) from None
            network, checkpoint = load_network(best)
        checkpoint = replace(checkpoint, record=checkpoint.record | {"pretrained": self.name})
        return Model(network, checkpoint, name=f"{self.name}, fine-tuned on {session.eid}")

    def save(self, path: str | PathLike[str]) -> None:
        """Write a checkpoint (`.safetensors`) that `load_model`, `neds predict` and `neds export` take."""
        write_checkpoint(Path(path), self.checkpoint, self.network.state_dict())

    def _predict(
        self, task: str, group: str, session: AlignedSession, given: Sequence[str] | None, trials: TrialsName
    ) -> dict[str, np.ndarray]:
        mode = self.network.design.mode
        targets = tuple(name for name in mode.outputs if self.modalities[name].group == group)
        seen = tuple(name for name in mode.inputs if name not in targets)
        if isinstance(given, str):
            raise UserError(f"given: name modalities in a list, as in given=[{given!r}]")
        if trials not in get_args(TrialsName):
            raise UserError(f"trials: must be one of {', '.join(get_args(TrialsName))}, not {trials!r}")
        chosen = [name for name in seen if self.modalities[name].group != group] if given is None else list(given)
        if not targets or not seen:
            raise UserError(
                f"{self.name}: is no model for {task}: {', '.join(mode.inputs)} -> {', '.join(mode.outputs)}"
            )
        unknown = [str(name) for name in chosen if name not in seen]
        if unknown or not chosen:
            raise UserError(f"given: {', '.join(unknown) or 'is empty'}: this model's {task} reads {', '.join(seen)}")
        _require_session(session)
        session = self._as_trained(session)
        if trials == "all":
            session = replace(session, split=np.full(session.n_trials, SPLITS.index("test"), np.uint8))
        device = next(self.network.parameters()).device
        sessions = [
            session if known.eid == session.eid else known.without_trials(session) for known in self._known().values()
        ]
        store = TrialStore(sessions, names=list(self.modalities), device=device)
        index, split = self.eids.index(session.eid), "test" if trials == "all" else trials
        return predict(self.network, store, index, split, Task(task, tuple(chosen), targets))

    def _known(self) -> dict[str, KnownSession]:
        """What the model knows of its sessions, by EID, in its order.

        Raises:
            UserError: it does not say.
        """
        known = {one.eid: one for one in self.checkpoint.known}
        if list(known) != self.eids:
            raise UserError(f"{self.name}: does not say what it was trained on; train it again with this version")
        return known

    def _as_trained(self, session: AlignedSession) -> AlignedSession:
        """The session, or further trials of it, as the model was trained on it.

        Raises:
            UserError: it is none that the model can predict.
        """
        if not session.usable:
            raise UserError(f"session {session.eid} cannot be used: {session.reason}")
        if session.eid not in self.eids:
            raise UserError(
                f"session {session.eid} is new to {self.name}, which has no map of its units; fine-tune it first: "
                "model.finetune(session), or the configuration's key `pretrained`"
            )
        known = self._known()[session.eid]
        for name, modality in self.modalities.items():
            own = session.modalities.get(name)
            if own is None or name not in session.values:
                raise UserError(f"session {session.eid} has no {name}, which {self.name} was trained with")
            if (own.kind, own.classes) != (modality.kind, modality.classes):
                raise UserError(f"session {session.eid}: {name} is {own.kind}, not as {self.name} was trained with")
            # Counts are numbers, whatever they are called, and classes have no unit.
            if own.kind in ("continuous", "scalar") and own.unit != modality.unit:
                raise UserError(
                    f"session {session.eid}: {name} is in {own.unit or 'no unit'}, {self.name} was trained with "
                    f"{modality.unit or 'none'}; convert the values, or name their unit as that"
                )
            width = session.values[name].shape[-1]
            if own.kind == "continuous" and width != (trained := len(known.statistics[name]["mean"])):
                raise UserError(
                    f"session {session.eid}: {name} has {width} values per bin, {self.name} was trained with {trained}; "
                    "fine-tune it on this file first"
                )
        design = self.network.design
        if fault := bins_fault(self.checkpoint.known, design.n_bins, design.n_context, session):
            raise UserError(f"{self.name}: {fault}; cut the session as that")
        session, fault = as_trained(known, session)
        if fault:
            raise UserError(
                f"session {session.eid} cannot be predicted by {self.name}: {fault}; fine-tune it on this file first"
            )
        # As wide as that of the widest session that the model was trained on.
        return replace(session, modalities={**session.modalities, **self.modalities})


def _require_session(session: object) -> None:
    if not isinstance(session, AlignedSession):
        raise UserError(f"session: must be what neds.load_session returns, not {session!r:.80}")
