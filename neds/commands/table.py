"""The one table of all commands. Light: no stage is imported before its command is called.

A figure or a table of means has a command too, of which its entry in `neds.plan` says all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

GROUPS = ("Sessions", "Training", "Evaluation", "Figures and tables", "Trained models", "Tools")


@dataclass(frozen=True)
class Command:
    """A command of `neds`.

    Attributes:
        name: as it is typed.
        function: "module:function". Its parameters are the options, its docstring is the help; what it writes is told from
            the roles of its parameters (`neds.files.roles`).
        group: one of `GROUPS`.
        summary: one sentence.
        chosen: "module:function" that the values of options choose, e.g. "neds.conversion.{format}:opened".
    """

    name: str
    function: str
    group: str
    summary: str
    chosen: str = ""

    def code(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Entries of the code that the command runs with these values of its options, for `neds.provenance.code_digest`."""
        names = {name: value.replace("-", "_") for name, value in values.items() if isinstance(value, str)}
        return (self.function, *([self.chosen.format(**names)] if self.chosen else []))


def _group(group: str, *rows: tuple[str, ...]) -> dict[str, Command]:
    return {name: Command(name, function, group, *rest) for name, function, *rest in rows}


_FIXED: dict[str, Command] = {
    **_group(
        "Sessions",
        (
            "synthesize",
            "neds.synthetic.stage:synthesize",
            "Write one synthetic session as an ALF tree, and its true rates.",
        ),
        (
            "download",
            "neds.download.stage:download",
            "Load one session from an ALF folder or from the IBL database: -> raw file.",
        ),
        (
            "convert",
            "neds.conversion.stage:convert",
            "Turn one session of another format (NWB, brainsets) into a raw file.",
            "neds.conversion.{format}:opened",
        ),
        (
            "import-arrays",
            "neds.partition.arrays:import_arrays",
            "Turn one's own trial-aligned arrays (.npz or .h5) into an aligned file.",
        ),
        (
            "partition",
            "neds.partition.stage:partition",
            "Cut one recording into trials and bins: raw file -> aligned file.",
        ),
        (
            "sessions-table",
            "neds.partition.sessions_table:write_sessions_table",
            "List all sessions: what was kept, what was dropped and why.",
        ),
    ),
    **_group(
        "Training",
        (
            "train",
            "neds.training.command:train_model",
            "Train one model: pretraining, from scratch, or fine-tuning.",
        ),
        (
            "train-together",
            "neds.training.launch:train_together",
            "Train one model in several processes, of one computer or of all nodes of a SLURM allocation.",
        ),
        (
            "tune",
            "neds.tuning.stage:run_tuning",
            "Search hyper-parameters of one training.",
        ),
    ),
    **_group(
        "Evaluation",
        (
            "baseline",
            "neds.baselines.stage:run_baseline",
            "Fit and score one baseline on one session.",
            "neds.baselines.{name}:predict",
        ),
        (
            "pretrain-baseline",
            "neds.baselines.stage:pretrain_baseline",
            "Train the network of a baseline on the sessions that its fits start from.",
            "neds.baselines.{name}:pretrain",
        ),
        (
            "evaluate",
            "neds.evaluation.stage:evaluate",
            "Score one trained model on one session's test trials.",
        ),
        (
            "ensemble",
            "neds.evaluation.ensemble:evaluate_ensemble",
            "Score the mean of the predictions of several seeds on one session's test trials.",
        ),
        (
            "metrics-table",
            "neds.evaluation.tables:write_metrics_table",
            "Collect the metrics of all evaluations into one table.",
        ),
        (
            "submit-decoding",
            "neds.benchmark.decoding:submit_decoding",
            "Write what models decode as a submission to BrainWideBench, and the truth to score it by.",
        ),
        (
            "submit-unit-tasks",
            "neds.benchmark.unit_tasks:submit_unit_tasks",
            "Write what models predict of spikes as a submission to BrainWideBench, and the truth to score it by.",
        ),
        (
            "region-units",
            "neds.benchmark.region_units:write_region_units",
            "Write the units of a recording, with what BrainWideBench's suite of regions asks of them.",
        ),
        (
            "submit-regions",
            "neds.benchmark.regions:submit_regions",
            "Write the regions that models tell units to be in as a submission to BrainWideBench, and the truth.",
        ),
        (
            "join-submission",
            "neds.benchmark.join:join_submission",
            "Put the suites of a submission into one zip, and check it.",
        ),
        (
            "score-submission",
            "neds.benchmark.scoring:score_submission",
            "Score a submission to BrainWideBench by the IBL's own scorer.",
        ),
        (
            "unit-embeddings",
            "neds.regions.extract:extract_embeddings",
            "Extract what a trained network has learned of each unit.",
        ),
        (
            "classify-regions",
            "neds.regions.stage:classify_regions",
            "Tell the regions of units from their embeddings in several models.",
        ),
        (
            "map-units",
            "neds.regions.unit_map:map_units",
            "Lay the units of a model out in a plane by their embeddings.",
        ),
    ),
    **_group(
        "Figures and tables",
        (
            "figure-search",
            "neds.figures.search:draw_search",
            "Draw a search: the score of every trial against each hyper-parameter.",
        ),
        (
            "table-page",
            "neds.tables.page:write_page",
            "Turn a table into a web page that can be sorted and filtered.",
        ),
        (
            "configuration-table",
            "neds.tables.configuration:write_configuration",
            "List the whole configuration in use, a row per key.",
        ),
        (
            "software-table",
            "neds.environment:write_software",
            "List the versions of all installed software.",
        ),
        (
            "left-out",
            "neds.figures.left_out:write_left_out",
            "Say which figures and tables are left out, and why.",
        ),
    ),
    **_group(
        "Trained models",
        (
            "predict",
            "neds.sharing.predict:predict_session",
            "Use a trained model on a session: encode, decode or embed, to a file.",
        ),
        (
            "export",
            "neds.sharing.export:export_model",
            "Write a trained model as one folder that can be given away.",
        ),
        (
            "import",
            "neds.sharing.imported:import_model",
            "Take over somebody else's model, from a folder or an address, after a look through it.",
        ),
    ),
    **_group(
        "Tools",
        (
            "init",
            "neds.commands.init:write_configuration",
            "Write a commented configuration and a sessions sheet for your recordings.",
        ),
        (
            "check",
            "neds.commands.check:check_run",
            "Say what would run, what it needs and whether that is there, before it runs.",
        ),
        (
            "status",
            "neds.commands.status:show_status",
            "Say how the results stand: done, running, to be made again and why, failed and why.",
        ),
        (
            "config",
            "neds.config.show:show_config",
            "Print the configuration in use, each value with where it came from.",
        ),
        (
            "sessions",
            "neds.commands.sessions:find_sessions",
            "Find sessions of an Alyx database: -> sessions sheet.",
        ),
        (
            "size",
            "neds.commands.size:download_size",
            "Tell how many bytes the sessions of a configuration would download.",
        ),
        (
            "benchmark-sheet",
            "neds.benchmark.sheet:write_sheet",
            "Write a sessions sheet of a folder of BrainWideBench's files.",
        ),
        (
            "export-brainsets",
            "neds.conversion.brainsets_export:export_brainsets",
            "Write raw files as files that torch_brain and brainsets read.",
        ),
        (
            "completion",
            "neds.commands.completion:completion",
            "Print the shell's completion script, or install it.",
        ),
    ),
}


@cache
def all_commands() -> dict[str, Command]:
    """Every command by name, in the order of the workflow."""
    from neds.plan.drawings import ALL_DRAWN

    drawn = {
        each.command: Command(each.command, each.draw, "Figures and tables", f"{each.verb} {each.title}.")
        for each in ALL_DRAWN
    }
    commands = [*_FIXED.values(), *drawn.values()]
    return {command.name: command for command in sorted(commands, key=lambda command: GROUPS.index(command.group))}


def command_named(name: str) -> Command | None:
    """The command of that name, which may be written with underscores; None when there is none."""
    name = name.replace("_", "-")
    return _FIXED.get(name) or all_commands().get(name)
