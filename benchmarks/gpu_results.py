"""What gpu_check.sh measured last, as docs/gpu_check.jsonl has it, for the page of performance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement


def gpu_measurements(results: Path) -> Iterator[Measurement]:
    """Those of one run of the checks; none where there is no such file."""
    lines = results.read_text().splitlines() if results.exists() else []
    checks: dict[str, dict[str, Any]] = {line["check"]: line for line in map(json.loads, lines)}
    if not {"data", "one_session", "small_batches", "many_sessions"} <= checks.keys():
        return
    section = f"One GPU: {checks['data']['gpu']}, torch {checks['data']['torch']} (gpu_check.sh)"
    many = checks["many_sessions"]
    for what, check in (("one session", "one_session"), ("74 sessions", "small_batches")):
        found = checks[check]
        yield Measurement(
            section=section,
            what=f"{what}, batch 16 (L5 D256), as a CUDA graph",
            value=found["s_per_step"],
            unit="s/step",
            plain=1 / found["one_by_one_steps_per_s"],
            plain_way="kernels started one by one",
            further={"steps/s": found["recorded_steps_per_s"], "peak memory (GiB)": found["peak_gib"]},
        )
    fast, plain = many["fast"], many["plain"]
    yield Measurement(
        section=section,
        what="74 sessions of 340 trials, batch 1024 (L22 D256), compiled, as a CUDA graph",
        value=fast["s_per_step"],
        unit="s/step",
        limit=fast["share"] * fast["s_per_step"],
        limited_by="a large bf16 product",
        plain=plain["s_per_step"],
        plain_way="neither",
        further={"steps/s": 1 / fast["s_per_step"], "peak memory (GiB)": fast["peak_gib"]}
        | {"s/epoch": fast["epoch_s"], "s before the first step": fast["ready_s"]},
    )
    yield Measurement(section=section, what="validation of these 74 sessions", value=many["validation_s"], unit="s")
