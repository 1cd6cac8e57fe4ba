"""The rules and what flows between them, as a picture: `python -m neds.plan.graph`."""

from pathlib import Path

from neds.config import check_config
from neds.plan.plan import Plan

STAGES = {
    "sessions": ["synthesize", "download_alf", "partition", "sessions_table"],
    "training": ["pretrain", "finetune", "train_from_scratch"],
    "evaluation": ["baseline", "evaluate", "metrics_table"],
    "regions": ["unit_embeddings", "unit_embeddings_of_pretrained", "classify_regions", "map_units"],
    "figures": ["figure", "session_figure", "learning_figure", "left_out"],
    "tables": ["table", "table_page", "configuration_table", "software_table"],
}
"""Rules of the default configuration by stage."""


def edges(plan: Plan) -> set[tuple[str, str]]:
    """Pairs of rules of which the second reads what the first makes."""
    read = ((step, path) for step in plan.steps for path in (*step.read, *step.also))
    makers = ((plan.made_by[path].rule, step.rule) for step, path in read if path in plan.made_by)
    return set(makers)


def mermaid(plan: Plan) -> str:
    """The graph in Mermaid's language, a box per stage."""
    lines = ["flowchart LR"]
    for stage, rules in STAGES.items():
        lines += [f"    subgraph {stage}", *(f"        {rule}" for rule in rules), "    end"]
    return "\n".join([*lines, *(f"    {first} --> {second}" for first, second in sorted(edges(plan)))])


if __name__ == "__main__":
    print(mermaid(Plan(*check_config({}, base=Path()))))
