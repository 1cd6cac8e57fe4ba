"""The checks and measurements of gpu_check.sh, each a command: python -m benchmarks.gpu_check NAME

Each prints one line of JSON and adds it to $OUT/results.jsonl; `ok` says whether what must hold does. Scratch files go to
$WORK. $DEVICE is cuda or cpu; with TINY=1 everything is small.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_training import (
    COMMANDS,
    DEVICE,
    FASTEST,
    MANY,
    N_MANY,
    N_TRIALS,
    NO_DROPOUT,
    ON_GPU,
    ONE,
    TINY,
    WORK,
    Training,
    many,
    run_of,
    single,
    wait,
    write_session,
)
from neds.files.aligned import read_aligned
from neds.training.distributed import alone
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.validate import validate

OUT = Path(os.environ.get("OUT", "."))


def command(
    name: str,
    *,
    device: torch.device = DEVICE,
    run: TrainingRun | None = None,
    n_sessions: int = 1,
    **training: Any,
) -> list[str]:
    """The command that trains on the first single sessions, on the GPU or without one."""
    folder = WORK / name
    folder.mkdir(exist_ok=True)
    settings = folder / "run.json"
    settings.write_text((run or run_of(COMMANDS, **training)).model_dump_json())
    outputs = [
        "--best",
        folder / "best.safetensors",
        "--last",
        folder / "last.safetensors",
        "--log-csv",
        folder / "log.csv",
    ]
    options = ["--settings", settings, "--state-seconds", 0.5, "--description", name]
    hidden = ["env", "CUDA_VISIBLE_DEVICES="] if device.type == "cpu" else []
    aligned = [part for index in range(n_sessions) for part in ("--aligned", single(index))]
    parts = [*hidden, sys.executable, "-m", "workflow_scripts", "train", *aligned, *outputs, *options]
    return [str(part) for part in parts]


def weights_apart(first: str, second: str) -> float:
    """Largest difference of the last weights of two trainings."""
    one, other = (load_file(WORK / name / "last.safetensors") for name in (first, second))
    return max(float((weight - other[name]).abs().max()) for name, weight in one.items())


def _few_threads() -> dict[str, str]:
    """The environment of processes that run side by side."""
    n_threads = max(1, len(os.sched_getaffinity(0)) // 4)
    return os.environ | {"OMP_NUM_THREADS": str(n_threads)}


def best_score(name: str) -> float:
    return float(pd.read_csv(WORK / name / "log.csv")["val_score"].max())


def data() -> dict[str, Any]:
    """Makes the sessions of all other checks."""
    wanted = [(single(index), 1000 + index, 60, 60 if TINY else 200) for index in range(3)]
    n_units = np.linspace(60, 600, N_MANY).astype(int)
    wanted += [(path, index, int(n), N_TRIALS) for index, (path, n) in enumerate(zip(many(), n_units, strict=True))]
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_session, wanted))
    card = torch.cuda.get_device_name() if ON_GPU else "none"
    return {"gpu": card, "torch": torch.__version__, "gb": sum(path.stat().st_size for path in many()) / 1e9}


def numerics() -> dict[str, Any]:
    """Loss and gradients of one batch: GPU against CPU; in parts, with compiled layers and as a CUDA graph, of one session
    and of several, against the whole batch without; bf16 against fp32.
    """
    found: dict[str, tuple[torch.Tensor, dict[str, torch.Tensor]]] = {}
    whole: dict[str, Any] = {
        "paths": [single(index) for index in range(3)],
        "device": DEVICE,
        "precision": "fp32",
        "memory": MemorySettings(trials_at_once=32),
    }
    cases = {
        "cpu": whole | {"device": torch.device("cpu")},
        "gpu": whole,
        "parts": whole | {"memory": MemorySettings(trials_at_once=5)},
        "bf16": whole | {"precision": "bf16"},
        "compiled": whole | {"compiled": True},
        "alone": whole | {"paths": [single()]},
        "recorded": whole | {"paths": [single()], "recorded": True},
        "alike": whole | {"recorded": True, "compiled": True},
    }
    for name, case in cases.items():
        training = Training(run=run_of(ONE | NO_DROPOUT, batch_size=32), **case)
        sums = training.add_gradients(next(training.batches)).cpu()
        gradients = {
            name: p.grad.float().cpu() for name, p in training.network.named_parameters() if p.grad is not None
        }
        found[name] = sums[0] / sums[1], gradients

    def apart(first: str, second: str) -> float:
        one, other = found[first][1], found[second][1]
        return max(float((g - other[name]).norm() / g.norm().clamp(min=1e-12)) for name, g in one.items())

    losses = {name: loss.tolist() for name, (loss, _) in found.items()}
    pairs = {"gpu": "cpu", "parts": "gpu", "compiled": "gpu", "alike": "gpu", "recorded": "alone"}
    equal = {name: apart(other, name) for name, other in pairs.items()}
    close = torch.allclose(found["bf16"][0], found["cpu"][0], rtol=0.02)
    return {"losses": losses, **equal, "bf16": apart("gpu", "bf16")} | {"ok": max(equal.values()) < 1e-3 and close}


def waits() -> dict[str, Any]:
    """Places of a step at which the host waits for the GPU; there must be none."""
    if not ON_GPU:
        return {"skipped": "needs a GPU", "ok": True}
    places: set[str] = set()
    # The single session last: the kernels below are of its step.
    for paths in (many(), [single()]):
        training = Training(paths, run_of(ONE, batch_size=16), DEVICE, "bf16")
        for _ in range(3):
            training.step()
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training.step()
        torch.cuda.set_sync_debug_mode("default")
        places |= {f"{w.filename}:{w.lineno}" for w in caught if "synchroniz" in str(w.message)}
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        training.step()
        torch.cuda.synchronize()
    kernels = [e for e in profile.key_averages() if e.device_type == torch.autograd.DeviceType.CUDA]
    attention = [e.key[:60] for e in kernels if any(part in e.key.lower() for part in ("flash", "fmha", "attention"))]
    return {
        "places": sorted(places),
        "kernels": sum(e.count for e in kernels),
        "attention": attention,
        "ok": not places,
    }


def trainings() -> dict[str, Any]:
    """The same training twice on the device, compiled, and on the CPU, by the command that the workflow calls; one of three
    sessions as CUDA graphs, and without.
    """
    cpu = torch.device("cpu")
    trained: dict[str, tuple[bool | str, dict[str, Any]]] = {
        "first": ("auto", {}),
        "again": ("auto", {}),
        "compiled": (True, {}),
        "on_cpu": ("auto", {"device": cpu}),
        "several": ("auto", {"n_sessions": 3}),
        "several_plain": (False, {"n_sessions": 3}),
    }
    running = [
        subprocess.Popen([*command(name, **further), "--memory", json.dumps({"compile": compile_})], env=_few_threads())
        for name, (compile_, further) in trained.items()
    ]
    statuses = [process.wait() for process in running]
    if any(statuses):
        return {"ok": False}
    scores = {name: best_score(name) for name in trained}
    first = dict.fromkeys(["again", "compiled", "on_cpu"], "first") | {"several": "several_plain"}
    return {"scores": scores, "again": weights_apart("first", "again"), "on_cpu": weights_apart("first", "on_cpu")} | {
        "ok": max(abs(scores[name] - scores[other]) for name, other in first.items()) < 0.1
    }


def interruptions() -> dict[str, Any]:
    """SIGKILL and SIGTERM in mid-training, then the same command again, which goes on; also on the CPU after the GPU."""
    cases = {
        "killed": (signal.SIGKILL, DEVICE),
        "asked": (signal.SIGTERM, DEVICE),
        "moved": (signal.SIGTERM, torch.device("cpu")),
    }
    with ThreadPoolExecutor() as pool:
        found = dict(zip(cases, pool.map(_interrupted, cases, *zip(*cases.values(), strict=True)), strict=True))
    return found | {"ok": all(case["status"] == 0 and case["resumed"] for case in found.values())}


def _interrupted(name: str, number: signal.Signals, then: torch.device) -> dict[str, Any]:
    """A training that is sent a signal once it has saved its state, and is started again on the device `then`."""
    state = WORK / name / "unfinished.safetensors"
    process = subprocess.Popen(command(name), stderr=subprocess.DEVNULL, env=_few_threads())
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    process.wait()
    again = subprocess.run(command(name, device=then), capture_output=True, text=True, env=_few_threads())
    found = {"status": again.returncode, "resumed": "resumed after" in again.stderr}
    return found | (
        {"apart": weights_apart("first", name)} if again.returncode == 0 else {"error": again.stderr[-300:]}
    )


def evaluation() -> dict[str, Any]:
    """Test scores of the first training; the workflow computes them on the CPU."""
    folder = WORK / "first"
    outputs = {"metrics": "csv", "units": "parquet", "predictions": "h5"}
    files = [part for name, end in outputs.items() for part in (f"--{name}", str(folder / f"{name}.{end}"))]
    inputs = ["--aligned", str(single()), "--checkpoint", str(folder / "best.safetensors")]
    names = ["--model", "neds-mm", "--training", "scratch", "--seed", "0"]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "workflow_scripts", "evaluate", *inputs, *names, *files], check=True)
    scores = pd.read_csv(folder / "metrics.csv")["value"]
    return {"s": time.perf_counter() - started, "scores": len(scores), "ok": bool(scores.notna().any())}


def one_session() -> dict[str, Any]:
    """Steps a second of a single session, batch 16, where starting the kernels takes longest."""
    return _small_batches([single()])


def small_batches() -> dict[str, Any]:
    """The same of all sessions, whose maps are others in every batch."""
    return _small_batches(many())


def _small_batches(paths: list[Path]) -> dict[str, Any]:
    """Steps a second with a batch of 16, as CUDA graphs and one kernel after the other."""
    steps, rates = 5 if TINY else 100, {}
    for name, recorded in (("recorded", True), ("one_by_one", False)):
        training = Training(paths, run_of(ONE, batch_size=16), DEVICE, FASTEST, recorded=recorded)
        # An epoch of the single session before, which has a short batch at its end.
        rates[name] = training.rate(steps, after=10)
    return (
        {f"{name}_steps_per_s": 1 / rate["s_per_step"] for name, rate in rates.items()}
        | rates["recorded"]
        | {"ok": True}
    )


def many_sessions() -> dict[str, Any]:
    """A step of all sessions, batch 1024, and its arithmetic as a share of the rate of a large product: as the loop trains,
    with compiled layers and recorded steps, and plainly.
    """
    found: dict[str, Any] = {"ok": True}
    for name, fast in (("plain", False), ("fast", ON_GPU)):
        started = time.perf_counter()
        run = run_of(MANY, batch_size=16 if TINY else 1024)
        training = Training(many(), run, DEVICE, FASTEST, compiled=fast, recorded=fast)
        if name == "plain":
            with FlopCounterMode(display=False) as counter:
                training.step()
        training.step()
        wait()
        ready_s = time.perf_counter() - started
        rate = training.rate(2 if TINY else 10, after=2)
        reached, limit = counter.get_total_flops() / rate["s_per_step"], matrix_rate()
        steps = training.store.n_trials("train") / run.training.batch_size
        tflops = {"tflop_s": reached / 1e12, "matrix_tflop_s": limit / 1e12, "share": reached / limit}
        found[name] = rate | tflops | {"epoch_s": steps * rate["s_per_step"], "ready_s": ready_s}
        if name == "plain":
            # The next would be measured beside its memory otherwise.
            del training
            gc.collect()
    sessions = [read_aligned(path) for path in many()]
    started = time.perf_counter()
    validate(training.network, training.store, sessions, alone(DEVICE), FASTEST, will_calibrate=False)
    return found | {"validation_s": time.perf_counter() - started}


def matrix_rate() -> float:
    """Floating-point operations a second of a large square product in bf16."""
    n, repeats = (512 if TINY else 8192), 10
    a, b = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    a @ b
    wait()
    started = time.perf_counter()
    for _ in range(repeats):
        a @ b
    wait()
    return 2 * n**3 * repeats / (time.perf_counter() - started)


def processes() -> dict[str, Any]:
    """Two processes on two GPUs (on two shares of the CPU without any) against one, without dropout."""
    if ON_GPU and torch.cuda.device_count() < 2:
        return {"skipped": "needs two GPUs", "ok": True}
    run = run_of(COMMANDS | NO_DROPOUT, epochs=2, batch_size=6, precision="fp32")
    subprocess.run(command("alone", run=run), check=True)
    together = command("together", run=run)
    place = together.index("train")
    together[place : place + 1] = ["train-together", "--processes", "2", "--cpus", "2"]
    subprocess.run(together, check=True)
    apart = weights_apart("alone", "together")
    return {"apart": apart, "ok": apart < 1e-2}


def crowd() -> dict[str, Any]:
    """Trainings that share the GPU, as the workflow starts them."""
    started = time.perf_counter()
    running = [subprocess.Popen(command(f"crowd{index}", epochs=4)) for index in range(2 if TINY else 8)]
    statuses = [process.wait() for process in running]
    return {"n": len(running), "s": time.perf_counter() - started, "ok": not any(statuses)}


CHECKS: list[Callable[[], dict[str, Any]]] = [
    data,
    numerics,
    waits,
    trainings,
    interruptions,
    evaluation,
    one_session,
    small_batches,
    many_sessions,
    processes,
    crowd,
]

if __name__ == "__main__":
    check = {check.__name__: check for check in CHECKS}[sys.argv[1]]
    line = json.dumps({"check": check.__name__} | check())
    with open(OUT / "results.jsonl", "a") as handle:
        handle.write(line + "\n")
    print(line)
    sys.exit(not json.loads(line).get("ok", True))
