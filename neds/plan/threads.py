"""How many threads a job may have on one computer: its share of the cores among the jobs that can run beside it.

Few jobs on many cores get several each, many jobs one: that is the better use of cores, because two threads are less than
twice as fast as one. Among trainings the share is by sessions to train on, so that a pretraining, for which all fine-tuning
waits, gets the most.
"""

from neds.plan.plan import Plan

MOST = 8
"""More bring little to networks of the usual sizes."""
_SIDE_BY_SIDE = (
    ("pretrain", "train_from_scratch", "train_variant", "pretrain_baseline"),
    ("finetune",),
    ("baseline", "network_baseline"),
    ("evaluate",),
)
"""Rules whose jobs can all run at once."""


def threads_of(plan: Plan, rule: str, *, cores: int) -> int:
    """Threads of each job of a rule, at most `MOST`; 1 for rules that have no use for more.

    Args:
        cores: that Snakemake may use.
    """
    rules = next((rules for rules in _SIDE_BY_SIDE if rule in rules), ())
    sizes = {name: [len(step.inputs["aligned"]) for step in plan.steps if step.rule == name] for name in rules}
    own = sizes.get(rule)
    if not own:
        return 1
    share = sum(own) / len(own) / sum(map(sum, sizes.values()))
    return max(1, min(MOST, int(cores * share)))
