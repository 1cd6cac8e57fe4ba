# What all rules share: the plan, and how a job learns from it what it reads and what its result depends on.
import math
import os
import platform
import shlex
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# The package lies beside this workflow, wherever the workflow is run from.
sys.path.insert(0, workflow.basedir)

from neds.config import command_line_values, load_config
from neds.errors import UserError
from neds.gpus import counted_by_driver
from neds.plan.captions import as_plain_text, caption_file, caption_text, drawn_labels
from neds.plan.drawings import PAGES, drawn_by_name, left_out_messages
from neds.plan.ending import nothing_usable, scores_lines, sessions_lines, where_to_look
from neds.plan.failures import failure_report
from neds.plan.front_page import FrontPage
from neds.plan.lock import ResultsLock
from neds.plan.logs import LOGS
from neds.plan.opened import OpenedPlan
from neds.plan.step import options, step_title
from neds.plan.submitted import submission_lines
from neds.plan.threads import threads_of
from neds.plan.weak_scores import weak_scores_lines

if set("{}:") & set(workflow.basedir):
    raise WorkflowError(
        f"{workflow.basedir}: braces stand for wildcards in Snakemake, and colons part the folders of PYTHONPATH; rename or "
        "move the project's folder"
    )

try:
    # Each file by itself, since Snakemake merges mappings that are meant to replace one another. Without the first, which
    # writes out the defaults, these hold.
    given = [*Path(workflow.basedir).glob("config.yaml"), *workflow.config_settings.configfiles]
    arguments = command_line_values(workflow.config_settings.config_args or [])
    OPENED = OpenedPlan(load_config(given, extra=arguments), is_main=workflow.is_main_process)
except UserError as error:
    raise WorkflowError(f"the configuration cannot be used:\n{error}") from None

PLAN = OPENED.plan
RESULTS = PLAN.results
# Captions read it, and want all keys; what the user wrote is no markup in them.
config.update(as_plain_text(PLAN.config.model_dump(mode="json")), front_page=FrontPage(Path(RESULTS)))

# Jobs inherit these. Without conda, the rules' `python` is the one that runs Snakemake, whether or not its environment is
# activated. A notebook names a backend of matplotlib's that draws in it, which jobs do not know and do not need.
os.environ.update(PYTHONPATH=workflow.basedir, NEDS_SNAKEMAKE=f"{platform.node()}/{os.getpid()}", MPLBACKEND="agg")
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    os.environ.update(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
# A signal to all processes of a job is for the command in it, which may want to save its state: bash waits for it, and tee
# writes down its last words.
IS_QUIET = any(getattr(handler, "keeps_jobs_silent", False) for handler in workflow.logger_manager.get_log_handlers())
shell.prefix(
    'set -euo pipefail; trap : TERM; tee() {{ trap "" INT TERM; command tee "$@"'
    + (" > /dev/null" if IS_QUIET else "")
    + "; }}; "
)


wildcard_constraints:
    eid="[A-Za-z0-9_-]+",
    mode="mm|encoding|decoding",
    pretraining_set="[A-Za-z0-9_-]+",
    seed="[0-9]+",


def needs(rule):
    """Input function of a rule: the files that its job reads, by the names of the command's options.

    What is stale is told by what stands in the files (neds/plan/stale.py) and not by their times, so that all are `ancient`
    but those that are to be made again, with which Snakemake takes what depends on them.
    """

    def inputs(wildcards):
        mark_stale()
        step = planned_step(rule, wildcards)
        named = {**step.inputs, "also": step.also}
        return {
            name: [path if OPENED.is_stale(path) else ancient(path) for path in paths] for name, paths in named.items()
        }

    return inputs


def asked(target):
    """Input of a target that a configuration may ask nothing of: its files, or else a function that says so."""
    nothing = PLAN.nothing_for(target)

    def refuse(wildcards):
        # Snakemake would tell an exception here as one of an input function.
        logger.error(nothing)
        raise SystemExit(1)

    return refuse if nothing else PLAN.targets(target)


def recipe(rule):
    """Parameter of a rule: all options of its command but those that name files, for a shell."""

    def text(wildcards):
        step = planned_step(rule, wildcards)
        return f"{options(step.values)} {options(step.operational)} --planned {OPENED.code(step)}".strip()

    return text


def drawing(rule):
    """Parameter of a drawing rule: the command, with the files that it reads."""

    def text(wildcards):
        step = planned_step(rule, wildcards)
        return f"{step.command} {read_options(rule)(wildcards)}".strip()

    return text


def read_options(rule):
    """Parameter of rules whose jobs read different files: all of them, as options."""

    def text(wildcards):
        step = planned_step(rule, wildcards)
        return options({name: list(paths) for name, paths in step.inputs.items()})

    return text


def tuned_option(wildcards, input):
    """The file of searched values, where the stage is searched."""
    return f"--tuned {shlex.quote(str(input.tuned))}" if "tuned" in input.keys() else ""


def share_of_cores(rule):
    """Threads of each job of a rule (docs/cluster.md). On a cluster, where there are no cores to share, profiles say it."""
    return threads_of(PLAN, rule, cores=workflow.resource_settings.cores or 1)


def alf_root(wildcards):
    """The folder that holds lab/Subjects: of a synthetic session its own, or the user's."""
    if PLAN.config.source == "synthetic":
        return f"{RESULTS}/synthetic/{wildcards.eid}/alf"
    return PLAN.config.download.alf_root


def planned_step(rule, wildcards):
    try:
        return PLAN.step(rule, dict(wildcards.items()))
    except KeyError:
        title = step_title(rule, dict(wildcards.items()))
        raise WorkflowError(f"{title}: this configuration has no such job") from None


def limit_gpus():
    """Start no more trainings at once than this computer's GPUs hold, where they run on it and nobody said how many.

    Before the first job's resources are asked for: Snakemake cuts them to the limit, or such a job would wait for ever.
    """
    # A report, a summary and the like run nothing.
    executor = workflow.executor_plugin
    runs_here = executor is not None and not executor.common_settings.non_local_exec
    n_gpus = counted_by_driver() if runs_here and "gpu_percent" not in workflow.global_resources else 0
    if n_gpus:
        workflow.register_resource("gpu_percent", 100 * n_gpus)
        logger.info(f"GPUs: {n_gpus}; of trainings, gpu_percent says how many share one (docs/cluster.md)")


@cache
def mark_stale():
    """Have Snakemake make again what is stale. Input functions are the first to be called once it has laid out its jobs."""
    if workflow.is_main_process:
        limit_gpus()
        dag = workflow.dag
        # What a killed job left is told by the stamps. Snakemake would force those jobs, and then not look whether what is made
        # from their files, which are `ancient`, is there.
        dag.ignore_incomplete = True
        stale = OPENED.stale_files(
            forced_rules={rule.name for rule in dag.forcerules}, forced_files=set(dag.forcefiles)
        )
        dag.forcefiles.update(stale)
        for line in OPENED.messages():
            logger.info(line)
        absent = OPENED.absent_files(asked_for(dag))
        if absent:
            # Snakemake would name one of them.
            logger.error(absent)
            raise SystemExit(1)


def asked_for(dag):
    """The files that the user wants: by name, of a target, or of a rule without wildcards."""
    of_rules = [path for rule in dag.targetrules for path in (*rule.input, *rule.output) if not callable(path)]
    return {str(path) for path in (*dag.targetfiles, *of_rules)}


def log_file(rule):
    """Where the jobs of a rule log."""
    return f"{RESULTS}/{LOGS[rule]}"


def stem(wildcards, output):
    """Files of a figure or table, without their suffixes."""
    return str(Path(output[0]).with_suffix(""))


def shown(path, category, labels):
    """A file of the report, with the caption of its rule's parameters."""
    return report(path, caption="captions/drawn.rst", category=category, labels=labels)


def caption(name):
    """Parameter of a rule: the text of rules/captions/<name>.rst, in which wildcards may stand."""

    def text(wildcards):
        known = dict(wildcards.items())
        path = Path(workflow.basedir, "rules", "captions", f"{caption_file(name.format(**known))}.rst")
        return caption_text(path, config=config, wildcards=known)

    return text


def figure_category(wildcards):
    return drawn_by_name(wildcards.figure).category


def figure_labels(suffix):
    """How the report tells the files of a figure from others."""

    def of(wildcards):
        return {**drawn_labels(dict(wildcards.items())), "file": suffix}

    return of


def table_labels(wildcards):
    return {"table": drawn_by_name(wildcards.table).title}


def page_labels(wildcards):
    return {"table": PAGES[wildcards.table]}


def page_category(wildcards):
    return "Run" if wildcards.table in ("configuration", "software") else "Tables"


LOCK = ResultsLock(Path(RESULTS))
STARTED_WITH = Counter()


def begin():
    try:
        note = LOCK.take(OPENED.planned_with())
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if note:
        logger.warning(note)
    STARTED_WITH["jobs"] = sum(bool(job.output) for job in workflow.dag.needrun_jobs())
    n_left_out = len(left_out_messages(PLAN))
    if n_left_out and "left_out" in {job.rule.name for job in workflow.dag.needrun_jobs()}:
        logger.info(
            f"left out of figures and tables: {n_left_out}; {RESULTS}/figures/left_out.txt says what would make them"
        )


def end():
    LOCK.release()


def report_sessions():
    """Say which sessions are in the results; a run without any is none that went well."""
    table = Path(RESULTS, "tables", "sessions.csv")
    for line in sessions_lines(table):
        logger.info(line)
    why = nothing_usable(table)
    if why:
        logger.error(why)
        raise SystemExit(1)


def report_scores(log):
    """The scores as they are after this run, and where to look."""
    table = f"{RESULTS}/tables/benchmark.csv"
    made = {str(path) for job in workflow.dag.finished_jobs for path in job.output}
    is_current = table in made or (table in PLAN.made_by and not OPENED.is_stale(table))
    scores = [*scores_lines(Path(table)), *weak_scores_lines(Path(RESULTS, "tables", "metrics.csv"))]
    submission = f"{RESULTS}/tables/benchmark_wide.csv"
    submitted = submission_lines(Path(RESULTS), PLAN.config.benchmark.label) if submission in made else []
    for line in [*(scores if is_current else []), *submitted, *where_to_look(Path(RESULTS))]:
        logger.info(line)
    for path in log:
        logger.info(f"All that Snakemake said: {path}")


def report_failures():
    failed = [
        (step_title(job.rule.name, dict(job.wildcards.items())), next(iter(job.log), None))
        for job in workflow.scheduler.failed
    ]
    waiting = sum(bool(job.output) for job in workflow.scheduler.remaining_jobs)
    report_text = failure_report(failed, waiting=waiting, n_jobs=STARTED_WITH["jobs"])
    if report_text:
        logger.error(report_text)
