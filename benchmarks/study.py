"""What a changed setting is worth: train each change on the same sessions over seeds, and compare test scores with none.

    python -m benchmarks.study changes.yaml results/aligned/*.h5 --seeds 0 1 2 --rows study.csv
    python -m benchmarks.study changes.yaml results/aligned/new.h5 --pretrain results/aligned/a.h5 results/aligned/b.h5

`changes.yaml` maps names to dotted keys of model, masking and training, as variants of an ablation are given; a model
without a change always runs, as "unchanged". With --pretrain a change holds for pretraining and fine-tuning. Rows that the
CSV has already, from the same settings, data and code, are kept, so that a study goes on where it was stopped.

The table has the mean of every score over sessions and seeds; behind it, the paired difference from "unchanged" with its
s.e.m. over sessions (each averaged over seeds), or over seeds where there is one session. `cpu_s` is the processor's time
for training.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
import yaml

from benchmarks.compare_models import PRIMARY
from neds.ablations.changes import with_changes
from neds.config import Stage, load_config
from neds.evaluation.stage import evaluate
from neds.files.aligned import read_aligned
from neds.files.atomic import write_csv
from neds.model.modes import ModeName
from neds.provenance import code_digest, content_digest, digest_of
from neds.training.settings import TrainingRun
from neds.training.stage import run_training

Weights = Literal["best", "last"]
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Study:
    """What all trainings of a study have in common.

    Attributes:
        sessions: aligned files, each trained on and tested by itself.
        pretrain: aligned files to pretrain on; none to train from scratch.
        train_trials: training trials of a session that is tested; None for all.
    """

    sessions: Sequence[Path]
    pretrain: Sequence[Path]
    mode: ModeName
    train_trials: int | None

    @property
    def stages(self) -> list[Stage]:
        return ["pretrain", "finetuned"] if self.pretrain else ["scratch"]

    def run(self, stage: Stage, changes: dict[str, Any], seed: int) -> TrainingRun:
        blocks = load_config([]).config.run_settings(stage, self.mode).of_result()
        return TrainingRun(
            mode=self.mode,
            modalities=list(read_aligned(self.sessions[0]).modalities),
            seed=seed,
            train_trials=None if stage == "pretrain" else self.train_trials,
            **with_changes({name: block.model_dump() for name, block in blocks.items()}, changes),
        )

    def rows(self, name: str, changes: dict[str, Any], seed: int, folder: Path) -> Iterator[dict[str, Any]]:
        """Train and test one change with one seed: a row per session, weights and score."""
        pretrained, shared_s = None, 0.0
        if self.pretrain:
            pretrained = folder / "pretrained.safetensors"
            shared_s = _train(self.run("pretrain", changes, seed), self.pretrain, pretrained, folder, None)
        run = self.run(self.stages[-1], changes, seed)
        for session in self.sessions:
            best = folder / "best.safetensors"
            cpu_s = _train(run, [session], best, folder, pretrained) + shared_s / len(self.sessions)
            for weights in get_args(Weights):
                for score in _scores(session, best.with_name(f"{weights}.safetensors"), folder):
                    yield {
                        "change": name,
                        "seed": seed,
                        "session": session.stem,
                        "weights": weights,
                        "cpu_s": cpu_s,
                    } | score


def _train(run: TrainingRun, aligned: Sequence[Path], best: Path, folder: Path, pretrained: Path | None) -> float:
    """The processor's seconds of a training."""
    started = time.process_time()
    last, log_csv = folder / "last.safetensors", folder / "log.csv"
    run_training(run=run, aligned=aligned, best=best, last=last, log_csv=log_csv, pretrained=pretrained)
    return time.process_time() - started


def _scores(session: Path, checkpoint: Path, folder: Path) -> list[dict[str, Any]]:
    """The primary score of every target, from all inputs."""
    files = {
        name: folder / f"evaluated.{end}"
        for name, end in (("metrics", "csv"), ("units", "parquet"), ("predictions", "h5"))
    }
    evaluate(aligned=session, checkpoint=checkpoint, model="neds", training="study", seed=0, **files)
    found = pd.read_csv(files["metrics"])
    found = found[found["metric"] == found["target"].map(PRIMARY).fillna("r2")]
    n_inputs = found["inputs"].str.count(r"\+")
    found = found[n_inputs == n_inputs.groupby(found["target"]).transform("max")]
    return [{"target": row.target, "value": row.value} for row in found.itertuples()]


def run_study(study: Study, changes: dict[str, dict[str, Any]], seeds: Sequence[int], rows_csv: Path) -> pd.DataFrame:
    """All rows of the study, each training's written to `rows_csv` when it ends."""
    kept = pd.read_csv(rows_csv) if rows_csv.exists() else pd.DataFrame({"identity": []})
    data = [content_digest(path) for path in (*study.sessions, *study.pretrain)]
    code = [code_digest("neds.training.stage:run_training"), code_digest("neds.evaluation.stage:evaluate")]
    tables = []
    for seed in seeds:
        for name, changed in {UNCHANGED: {}, **changes}.items():
            runs = [study.run(stage, changed, seed).model_dump() for stage in study.stages]
            identity = digest_of([runs, data, code])
            rows = kept[kept["identity"] == identity].assign(change=name)
            if rows.empty:
                with tempfile.TemporaryDirectory() as folder:
                    rows = pd.DataFrame(study.rows(name, changed, seed, Path(folder))).assign(identity=identity)
                kept = pd.concat([kept, rows], ignore_index=True)
                write_csv(rows_csv, kept)
            tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def table(rows: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    """A row per change: mean score, and the paired difference from "unchanged" with its s.e.m. (see the module)."""
    chosen = rows[rows["weights"] == weights]
    unit = "session" if chosen["session"].nunique() > 1 else "seed"
    cpu_s = chosen.groupby("change", sort=False)["cpu_s"].mean()
    paired = chosen.groupby(["change", unit, "target"], sort=False)["value"].mean().unstack("target")
    shown = pd.DataFrame(index=cpu_s.index)
    for target in paired:
        by_change = paired[target].unstack("change")[cpu_s.index]
        differences = by_change.sub(by_change[UNCHANGED], axis=0)
        means, errors = differences.mean(), differences.sem()
        shown[target] = [
            f"{by_change[name].mean():.3f}"
            + ("" if name == UNCHANGED else f" ({means[name]:+.3f} ± {errors[name]:.3f})")
            for name in cpu_s.index
        ]
    return shown.assign(cpu_s=cpu_s.round(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", type=Path)
    parser.add_argument("sessions", type=Path, nargs="+")
    parser.add_argument("--pretrain", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--mode", choices=get_args(ModeName), default="mm")
    parser.add_argument("--train-trials", type=int)
    parser.add_argument("--rows", type=Path, default=Path("study.csv"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    study = Study(given.sessions, given.pretrain, given.mode, given.train_trials)
    changes = yaml.safe_load(given.changes.read_text(encoding="utf-8")) or {}
    rows = run_study(study, changes, given.seeds, given.rows)
    for weights in get_args(Weights):
        print(f"\n{weights} weights, {rows['session'].nunique()} sessions, {len(given.seeds)} seeds")
        print(table(rows, weights).to_string())


if __name__ == "__main__":
    main()
