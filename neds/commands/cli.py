"""`neds COMMAND ...`, the same as `python -m workflow_scripts COMMAND ...`: the table of commands, made into a program.

A function's keyword-only parameters are the options of its command. Only the function that is called is imported.
"""

import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin, get_type_hints

from cyclopts import App, CycloptsError, Group, Parameter
from pydantic import BaseModel

from neds import __version__
from neds.commands.job import run_job, writes_results
from neds.commands.table import GROUPS, Command, all_commands, command_named
from neds.commands.values import mapping_of, settings_of
from neds.errors import Interrupted, UserError
from neds.files.atomic import is_full_disk
from neds.processes import end_with_workflow

log = logging.getLogger(__name__)

TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: start it again."""
WRONG_USAGE = 2
OPTIONAL = {
    **dict.fromkeys(("pynwb", "hdmf"), "nwb"),
    **dict.fromkeys(("one", "brainbox", "iblatlas", "ibldsp", "ibllib", "iblutil", "neuropixel", "spikeglx"), "one"),
    **dict.fromkeys(("ray", "optuna"), "tune"),
    **dict.fromkeys(("tensorboardX", "wandb"), "loggers"),
    "temporaldata": "brainsets",
    "torch_brain": "poyo",
}
"""The extra of this package that brings a module in, for modules that only some commands need."""
_FIRST_ENDS_WITHIN_S = 20.0

_HELP = "Neural encoding and decoding at scale: the workflow's stages and tools, by hand. Each explains itself: --help."
_PLANNED = "digest of the code that a workflow was planned with; other code is refused."


def main() -> NoReturn:
    """Run the command that the program's arguments name.

    Exit status 1 means that the user can mend it (one line per fault), 2 that the arguments are no command, 75 that it was
    interrupted and goes on when it is started again. A bug keeps its traceback.
    """
    try:
        sys.exit(_outcome(sys.argv[1:]))
    except ModuleNotFoundError as error:
        if (extra := OPTIONAL.get((error.name or "").partition(".")[0])) is None:
            raise
        sys.exit(f"error: {error.name} is not installed, which this command needs: pip install 'neds[{extra}]'")


def _outcome(arguments: Sequence[str]) -> int | str:
    """What `sys.exit` is given."""
    command = command_named(arguments[0]) if arguments else None
    try:
        function, bound, _ = program(command).parse_args(
            _tokens(command, arguments[1:]) if command else list(arguments), print_error=False, exit_on_error=False
        )
    except CycloptsError as error:
        more = f"neds {command.name} --help" if command else "neds --help"
        text = " ".join(str(error).split()).replace("requires an argument", "is required")
        print(f"error: {text}\n{more} explains", file=sys.stderr)
        return WRONG_USAGE
    end_with_workflow()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        text = function(*bound.args, **bound.kwargs)
    except UserError as error:
        _let_first_process_say_it()
        return f"error: {error}"
    except Interrupted as stopped:
        log.warning("%s", stopped)
        return TEMPORARY_FAILURE
    except Exception as error:
        if is_full_disk(error):
            return f"error: no space left ({' '.join(str(error).split())}); make room and run snakemake again"
        raise
    if isinstance(text, str):
        _print(text)
    return 0


def _print(text: str) -> None:
    """Print to a reader that may have read enough, e.g. `head`."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _let_first_process_say_it() -> None:
    """Wait, in all but the first of several processes that train together: if it fails too, torchrun ends the others."""
    if int(os.environ.get("RANK", "0")):
        time.sleep(_FIRST_ENDS_WITHIN_S)


def program(*called: Command | None) -> App:
    """The program with the options of the called command; without one, with the names and a sentence of all."""
    app = App(
        name="neds",
        help=_HELP,
        version=__version__,
        default_parameter=Parameter(negative=""),
        help_format="plaintext",
    )
    groups = {name: Group(name, sort_key=rank) for rank, name in enumerate(GROUPS)}
    for rank, command in enumerate(filter(None, called) if any(called) else all_commands().values()):
        function, text = (_runner(command), None) if command in called else (_not_called, command.summary)
        app.command(function, name=command.name, group=groups[command.group], help=text, sort_key=rank)
    return app


def function_of(command: Command) -> Callable[..., Any]:
    """The function of a command, imported."""
    module, _, name = command.function.partition(":")
    return getattr(import_module(module), name)


def _not_called() -> None:
    """Stand in for a command that is not called."""


def _runner(command: Command) -> Callable[..., Any]:
    """A function with the options of a command, as texts, paths and numbers, that runs it."""
    function = function_of(command)
    hints = get_type_hints(function, include_extras=True)
    makes_results = writes_results(function)

    def run(*words: str, **options: Any) -> Any:
        planned = options.pop("planned", None)
        given = {name: _value(name, text, hints[name]) for name, text in options.items()}
        if makes_results:
            return run_job(command, function, given, planned=planned)
        return function(*words, **given)

    parameters = [
        parameter.replace(annotation=_option(name, hints[name], parameter))
        for name, parameter in inspect.signature(function).parameters.items()
    ]
    if makes_results:
        annotation = Annotated[str | None, Parameter(help=_PLANNED)]
        parameters.append(
            inspect.Parameter("planned", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        )
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = function.__doc__
    return run


def _option(name: str, hint: Any, parameter: inspect.Parameter) -> Any:
    """The annotation by which cyclopts reads a parameter."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return Annotated[hint, Parameter(allow_leading_hyphen=True, show=False)]
    if _model_of(hint):
        optional = parameter.default is not inspect.Parameter.empty
        return Annotated[str | None if optional else str, Parameter(metavar="JSON|FILE")]
    if name.startswith("as_"):
        # A parameter cannot be called like the module json.
        return Annotated[hint, Parameter(name=f"--{name.removeprefix('as_')}")]
    return hint


def _value(name: str, value: Any, hint: Any) -> Any:
    """The value of an option that is JSON text or a file, and any other as it is."""
    model = _model_of(hint)
    if model is None or value is None:
        return value
    option = f"--{name.replace('_', '-')}"
    return mapping_of(value, option=option) if model is dict else settings_of(value, model, option=option)


def _model_of(hint: Any) -> type | None:
    """The class of settings, or dict, that an annotation names."""
    origin = get_origin(hint)
    if origin is dict or hint is dict:
        return dict
    if inspect.isclass(hint) and issubclass(hint, BaseModel):
        return hint
    return (
        next(filter(None, map(_model_of, get_args(hint))), None) if origin is not None and not _is_list(hint) else None
    )


def _is_list(hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Annotated,):
        return _is_list(get_args(hint)[0])
    if origin in (Union, UnionType):
        return any(map(_is_list, get_args(hint)))
    return inspect.isclass(origin) and issubclass(origin, Sequence)


def _tokens(command: Command, words: Sequence[str]) -> list[str]:
    """The command's name and words, each value joined to its option.

    Values may then begin with a dash (a session's id, "-"), and an option with several values takes those up to the next
    one that begins with two.
    """
    options = _options(function_of(command))
    tokens, waiting = [command.name], list(words)
    while waiting:
        word = waiting.pop(0)
        kind = options.get(word)
        if kind == "one" and waiting and waiting[0] not in options:
            tokens.append(f"{word}={waiting.pop(0)}")
        elif kind == "many":
            values = []
            while waiting and not waiting[0].startswith("--"):
                values.append(waiting.pop(0))
            tokens += [f"{word}={value}" for value in values] or [word]
        else:
            tokens.append(word)
    return tokens


def _options(function: Callable[..., Any]) -> Mapping[str, str]:
    """How many values each option of a function takes: none, one or many."""
    kinds = {"--planned": "one", "--help": "none"}
    for name, hint in get_type_hints(function, include_extras=True).items():
        option = f"--{name.removeprefix('as_').replace('_', '-')}"
        kinds[option] = "none" if hint is bool else "many" if _is_list(hint) else "one"
    return kinds
