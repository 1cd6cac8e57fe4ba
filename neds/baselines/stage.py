"""The baseline stage: an aligned file -> scores and predictions of one baseline model, in the form of any other model."""

from collections.abc import Callable
from importlib import import_module

from neds.baselines.fitting import Given, is_usable
from neds.baselines.names import BaselineName
from neds.baselines.networks.settings import RivalSettings
from neds.baselines.registry import baselines, module_of
from neds.errors import UserError
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, write_evaluation
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.roles import InputFile, InputFiles, Operational, OutputFile
from neds.gpus import take_gpus


def run_baseline(
    *,
    name: BaselineName,
    aligned: InputFile,
    metrics: OutputFile,
    units: OutputFile,
    predictions: OutputFile,
    truth: InputFile | None = None,
    others: InputFiles = (),
    raw: InputFiles = (),
    pretrained: InputFile | None = None,
    settings: RivalSettings | None = None,
    gpu_percent: Operational[int | None] = None,
) -> None:
    """Fit one baseline on the training trials and score it on the test trials; nothing for an unusable session.

    Args:
        name: the baseline.
        aligned: aligned session file.
        metrics: CSV to write, one row per score.
        units: Parquet to write, one row per unit and task.
        predictions: HDF5 to write.
        truth: the true rates of a synthetic session, for the oracle.
        others: aligned files of the sessions to fit with, for rrr-multi, or that were pretrained on; unusable ones are left
            out.
        raw: raw files of the session, for poyo, which otherwise takes spikes to be in the middle of their bins.
        pretrained: weights of `pretrain-baseline` to start from.
        settings: of the networks, by default as in the configuration.
        gpu_percent: share of a GPU that a network waits for and holds; 0: CPU only. By default any GPU is used as it is.

    Raises:
        UserError: a file that the baseline needs is not given, or damaged inputs.
    """
    files = EvaluationFiles(metrics, units, predictions)
    if baselines()[name].settings:
        take_gpus(gpu_percent)
    session = read_aligned(aligned)
    given = Given(truth, others, raw, pretrained, settings or RivalSettings())
    predict: Callable[[AlignedSession, Given], list[Predicted]]
    predict = import_module(f"neds.baselines.{module_of(name)}").predict
    predicted = predict(session, given) if is_usable(session) else []
    write_evaluation(session, Identity(model=name, training="", seed=0), predicted, files)


def pretrain_baseline(
    *,
    name: BaselineName,
    aligned: InputFiles,
    output: OutputFile,
    raw: InputFiles = (),
    settings: RivalSettings | None = None,
    gpu_percent: Operational[int | None] = None,
) -> None:
    """Train the network of a baseline on several sessions, without the unusable ones, and write what they share.

    Args:
        name: the baseline, one that is pretrained.
        aligned: aligned session files.
        output: safetensors file to write.
        raw: raw files of the sessions, for poyo-multi.
        settings: of the networks, by default as in the configuration.
        gpu_percent: share of a GPU to wait for and to hold; 0: CPU only. By default any GPU is used as it is.

    Raises:
        UserError: a baseline that is not pretrained, or damaged inputs.
    """
    if not baselines()[name].is_pretrained:
        raise UserError(f"baseline {name} is not pretrained")
    take_gpus(gpu_percent)
    given = Given(others=aligned, raw=raw, settings=settings or RivalSettings())
    import_module(f"neds.baselines.{module_of(name)}").pretrain(given.usable_others(), given, output)
