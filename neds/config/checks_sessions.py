"""Checks of the sessions that a configuration wants, of views, and of lists."""

import re

from pydantic import ValidationError

from neds.baselines.registry import baselines
from neds.config.checked import Checked
from neds.config.schema import Config
from neds.partition.settings import PartitionSettings
from neds.roster import ROLES
from neds.run import name_fault
from neds.validation import described, did_you_mean
from neds.words import counted


def repetitions(checked: Checked) -> list[str]:
    config = checked.config
    keys = ("modalities", "modes", "regimes", "seeds", "baselines", "finetune_from", "train_trials", "loggers")
    lists = {key: getattr(config, key) for key in keys}
    lists |= {"evaluation.tasks": config.evaluation.tasks or []}
    lists |= {f"views.{name}.modalities": view.modalities or [] for name, view in config.views.items()}
    lists |= {f"pretraining_sets.{k}": eids for k, eids in config.pretraining_sets.items() if isinstance(eids, list)}
    return [
        f"config key {key}: {value} stands in it twice"
        for key, values in lists.items()
        for value in dict.fromkeys(values)
        if values.count(value) > 1
    ]


def region_faults(checked: Checked) -> list[str]:
    config = checked.config
    classes = config.regions.classes or []
    return [
        f"config key regions.merge.{name}: regions.classes has no {name}; name it there"
        for name in config.regions.merge
        if name not in classes
    ]


def view_faults(checked: Checked) -> list[str]:
    config, faults = checked.config, []
    for name, view in config.views.items():
        key = f"config key views.{name}"
        if not re.fullmatch("[A-Za-z0-9-]+", name):
            faults.append(f"{key}: the name of a view may hold letters, digits and - only")
        try:
            cut = view.cutting(config.partition)
        except ValidationError as error:
            values = config.partition.model_dump() | view.model_dump(exclude_none=True)
            faults += described(error, PartitionSettings, values, prefix=f"views.{name}")
            continue
        if view.modalities == []:
            faults.append(f"{key}.modalities: is empty; name two or more, or leave it out for all")
        alike = next((other for other in config.views if other < name and other.lower() == name.lower()), None)
        if alike is not None:
            faults.append(f"{key}: is {alike} in other letters, which some disks take for one; call it otherwise")
        own = config.modalities_of(name)
        unknown = [modality for modality in own if modality not in config.modalities]
        faults += [f"{key}.modalities: modalities has no {modality}; name it there" for modality in unknown]
        if len(own) < 2:
            faults.append(f"{key}.modalities: name two or more, of which one is read and one predicted")
        fault = "" if unknown else cut.fault_of({n: m for n, m in config.modality_registry().items() if n in own})
        faults += [f"{key}.{fault}"] if fault else []
    if config.views and config.source == "aligned":
        faults.append("config key views: your own arrays are cut already; list each window as a session of its own")
    if config.views and config.pretrained:
        faults.append("config key views: a shared model has one window, and there are several; leave pretrained out")
    pretrained = [name for name in config.baselines if baselines()[name].is_pretrained]
    if config.views and pretrained:
        faults.append(
            f"config key baselines: {pretrained[0]} is pretrained on one window, and there are several views; remove it"
        )
    if config.views and "lfp" in config.modalities:
        faults.append("config key views: LFP is read around one window; take lfp off modalities, or leave views out")
    return faults


def roster_faults(checked: Checked) -> list[str]:
    """Faults of what the configuration wants of the sessions, where their roles could be read."""
    roles = {session.recording: session.role for session in checked.sessions}
    if not roles or not set(roles.values()) <= set(ROLES):
        return []
    faults = []
    if "test" not in roles.values():
        faults.append("sessions: none has role test, so there is nothing to evaluate")
    if "finetuned" in checked.config.regimes and not checked.config.pretrained:
        faults += _pretraining_faults(checked.config, roles)
    return faults


def _pretraining_faults(config: Config, roles: dict[str, str]) -> list[str]:
    n_train = sum(role == "train" for role in roles.values())
    if not n_train:
        return [
            "config key regimes: finetuned needs sessions of role train to pretrain on; add some, or remove finetuned"
        ]
    faults = []
    for name in config.finetune_from:
        if name not in ("all", *config.pretraining_sets):
            hint = did_you_mean(name, list(config.pretraining_sets), otherwise="define it there")
            faults.append(f"config key finetune_from: pretraining_sets has no {name}; {hint}")
    for name, members in config.pretraining_sets.items():
        key = f"config key pretraining_sets.{name}"
        if name == "all":
            faults.append(f"{key}: this is the set of all sessions of role train; choose another name")
        if fault := name_fault(name):
            faults.append(f"{key}: {fault}")
        if isinstance(members, int) and not 1 <= members <= n_train:
            faults.append(f"{key}: {counted(members, 'session')} wanted, the sheet has {n_train} of role train")
        if isinstance(members, list):
            faults += [f"{key}: {eid} is not among the sessions" for eid in members if eid not in roles]
            held_out = [eid for eid in members if roles.get(eid) == "test"]
            faults += [
                f"{key}: {eid} has role test; a model is never pretrained on a session it is tested on"
                for eid in held_out
            ]
            if not members:
                faults.append(f"{key}: the list is empty")
    return faults
