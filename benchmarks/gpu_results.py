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
    if not {"data", "one_session", "many_sessions"} <= checks.keys():
        return
    section = f"One GPU: {checks['data']['gpu']}, torch {checks['data']['torch']} (gpu_check.sh)"
    one, many = checks["one_session"], checks["many_sessions"]
    yield Measurement(
        section=section,
        what="one session, batch 16 (L5 D256), as a CUDA graph",
        value=one["s_per_step"],
        unit="s/step",
        plain=1 / one["one_by_one_steps_per_s"],
        plain_way="kernels started one by one",
        further={"steps/s": one["recorded_steps_per_s"], "peak memory (GiB)": one["peak_gib"]},
    )
    compiled, plain = many["compiled"], many["plain"]
    yield Measurement(
        section=section,
        what="74 sessions of 340 trials, batch 1024 (L22 D256), compiled",
        value=compiled["s_per_step"],
        unit="s/step",
        limit=compiled["share"] * compiled["s_per_step"],
        limited_by="a large bf16 product",
        plain=plain["s_per_step"],
        plain_way="not compiled",
        further={"steps/s": 1 / compiled["s_per_step"], "peak memory (GiB)": compiled["peak_gib"]}
        | {"s/epoch": compiled["epoch_s"], "s before the first step": compiled["ready_s"]},
    )
    yield Measurement(section=section, what="validation of these 74 sessions", value=many["validation_s"], unit="s")
