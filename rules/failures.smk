# What the user reads at the end when jobs failed.
from snakemake.logging import logger


def job_title(job):
    """Stage, session and the rest of what tells a job from others, e.g. "evaluate <eid>, mm, scratch, seed 0"."""
    known = {name: value for name, value in sorted(job.wildcards.items()) if value}
    eid, seed = known.pop("eid", ""), known.pop("seed", None)
    details = [value.strip("-") for value in known.values()] + ([] if seed is None else [f"seed {seed}"])
    return ", ".join([f"{job.rule.name} {eid}".strip(), *details])


def last_words(path):
    """Why a job failed, in one line, as far as its log says."""
    lines = [line.rstrip() for line in Path(path).read_text(errors="replace").splitlines() if line.strip()]
    complaints = [line for line in lines if line.startswith("error: ") or "its state is saved" in line]
    if complaints:
        return complaints[-1].removeprefix("error: ")
    if any(line.startswith("Traceback ") for line in lines):
        return lines[-1]
    return f"ended without a reason, so it was killed (memory, time limit, signal); last line: {lines[-1] if lines else '-'}"


def failed_job(job):
    log = next(iter(job.log), None)
    if log is None or not Path(log).is_file():
        return f"  {job_title(job)}\n      left no log; see Snakemake's own messages above"
    return f"  {job_title(job)}\n      {last_words(log)}\n      log: {log}"


def report_failures():
    failed = sorted(workflow.scheduler.failed, key=job_title)
    waiting = [job for job in workflow.scheduler.remaining_jobs if job.output]
    if failed:
        n_jobs = sum(bool(job.output) for job in workflow.dag.needrun_jobs())
        lines = [f"{len(failed)} of {n_jobs} jobs failed:", *map(failed_job, failed)]
        lines.append(f"{len(waiting)} jobs that need their results, or were not started, are left." if waiting else "")
        lines.append("What is finished stays finished: mend the cause and start snakemake again as before.")
        logger.error("\n".join(line for line in lines if line))
    elif waiting:
        logger.error(f"Stopped with {len(waiting)} jobs left; start snakemake again as before to go on.")
