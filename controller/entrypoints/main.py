"""The command `aim-gpu` (also `kubectl aim`): every verb, and the processes. Only what is asked for is imported."""

import atexit
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

from controller.entrypoints.summaries import SUMMARIES

if TYPE_CHECKING:
    import typer

    from controller.cli.completer import Completion, Syntax

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "profiles": "controller.cli.profiles",
        "inventory": "controller.cli.inventory",
        "plan": "controller.cli.plan",
        "explain": "controller.cli.explain",
        "top": "controller.cli.top",
        "simulate": "controller.cli.simulate",
        "approve": "controller.cli.approve",
        "rollback": "controller.cli.rollback",
        "drain": "controller.cli.drain",
        "diagnose": "controller.cli.diagnose",
        "release": "controller.cli.release",
        "rocm": "controller.cli.rocm",
        "ui": "controller.ui.command",
        "agent": "controller.entrypoints.agent_command",
        "exporter": "controller.entrypoints.exporter_command",
        "gateway": "controller.entrypoints.gateway_command",
        "operator": "controller.entrypoints.operator_command",
        "ui-server": "controller.entrypoints.ui_server_command",
    }
)
"""Each verb and the module that has a function of its name (with _ for -), or a group of commands."""

AT_ONCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "size": "controller.cli.size",
        "crds": "controller.cli.crds",
        "completion": "controller.cli.completion",
    }
)
"""Verbs that take their own arguments, and the module whose `run` answers: they start without the packages the others
take theirs with, which need three times as long as the answer."""

COMPLETE: Final = "__complete"
"""The verb that shells ask; no person does."""

AT_ONCE_IN_A_GROUP: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("profiles", "show"): "controller.cli.profile_show"}
)
"""Commands of a group that are like that. The group passes on their arguments where it is asked itself."""

_PROCESSES: Final = "controller.entrypoints."
"""Where the modules of verbs are that run until they are told to end."""
_AUTHORITIES: Final = "SSL_CERT_FILE"
"""The variable that tells OpenSSL where the machine's authorities are."""
_ALLOCATIONS: Final = 500_000
"""New objects after which the garbage collector looks for cycles in a command; by itself Python does so after 700."""


def command_line(first: str = "") -> "typer.Typer":
    """The command with the verb `first` alone, with all of them when that is no verb.

    An agent needs nothing of the planner: without its modules it starts sooner and holds 5 MB less.
    """
    import typer

    from controller.cli.help_text import help_of, summary_of

    app = _without_verbs()
    everything = first not in VERBS and first not in AT_ONCE
    for verb, module in AT_ONCE.items():
        if everything or verb == first:
            as_given = {"ignore_unknown_options": True, "allow_extra_args": True}
            answer = _passed_on(import_module(module).run)
            app.command(
                name=verb,
                help=SUMMARIES[verb],
                add_help_option=False,
                context_settings=as_given,
                short_help=SUMMARIES[verb],
            )(answer)
    for verb in VERBS if everything else VERBS.keys() & {first}:
        found = getattr(import_module(VERBS[verb]), verb.replace("-", "_"))
        if isinstance(found, typer.Typer):
            for each in found.registered_commands:
                each.short_help = summary_of(each.callback)
            app.add_typer(found, name=verb, short_help=str(found.info.help))
        else:
            app.command(name=verb, help=help_of(found), short_help=summary_of(found))(found)
    return app


def overview() -> "typer.Typer":
    """The command as it tells of its verbs, and of one that is misspelt. No verb is imported, and none can be run."""
    app = _without_verbs()
    for verb, summary in SUMMARIES.items():
        app.command(name=verb, help=summary, short_help=summary)(_not_to_be_run)
    return app


def _not_to_be_run() -> None:
    raise AssertionError("a verb was asked for, and only what it is for was looked up")


def _without_verbs() -> "typer.Typer":
    import typer

    from controller.cli.commands import Commands
    from controller.cli.program import NAME, say_version

    # help as plain text: boxes of rich take half of its time, and are lost in a pipe
    app = typer.Typer(
        name=NAME,
        cls=Commands,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    shown = typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=say_version)

    @app.callback()
    def _verbs(version: Annotated[bool, shown] = False) -> None:
        """Share AMD Instinct GPUs among inference models."""

    return app


def _passed_on(run: Callable[[Sequence[str]], int]) -> "Callable[[typer.Context], None]":
    import typer

    def answer(context: typer.Context) -> None:
        raise typer.Exit(run(context.args))

    return answer


def main() -> None:
    """The console script. Ctrl-C while a verb is being loaded ends it as it does later, without a traceback."""
    from controller.cli.reader import while_read

    try:
        with while_read():
            _answer()
    except KeyboardInterrupt:
        from controller.cli.exit_codes import ExitCode

        sys.exit(ExitCode.INTERRUPTED)


def _answer() -> None:
    from controller.cli.program import program
    from controller.cli.reader import need_output

    # no plugin of pydantic is ours, and to look for some reads the metadata of every package
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    first, second = (*sys.argv[1:3], "", "")[:2]
    serves = _serves(first)
    if not serves:
        need_output()
        collect_seldom()
    if first == COMPLETE:
        complete(sys.argv[2:])
        return
    if first in AT_ONCE:
        sys.exit(import_module(AT_ONCE[first]).run(sys.argv[2:]))
    if (first, second) in AT_ONCE_IN_A_GROUP:
        sys.exit(import_module(AT_ONCE_IN_A_GROUP[first, second]).run(sys.argv[3:]))
    # a verb that is not the first word, as after `--`, is looked for among all
    named = set(sys.argv[1:]) & {*VERBS, *AT_ONCE}
    with nullcontext() if serves else without_authorities():
        app = command_line(first) if named else overview()
    app(prog_name=program())


def _serves(first: str) -> bool:
    """Whether a process is asked for. After `--` a verb is not the first word: then any could be it."""
    words = {first} if first in {*VERBS, *AT_ONCE, COMPLETE} else {*sys.argv[1:]}
    return any(VERBS.get(word, "").startswith(_PROCESSES) for word in words)


def collect_seldom() -> None:
    """Look for cycles of garbage seldom, and not at the end: a command leaves few, and what it imported is none.

    At Python's own pace a quarter of a start goes into looking through all of it again and again.
    """
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(gc.freeze)


@contextmanager
def without_authorities() -> Iterator[None]:
    """While a verb is imported: aiohttp reads the machine's authorities then, twice and for nobody, 40 ms of a start.

    Commands trust whom the kubeconfig names, or read the authorities once they need them.
    """
    before = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        del os.environ[_AUTHORITIES]
        if before is not None:
            os.environ[_AUTHORITIES] = before


def complete(arguments: Sequence[str]) -> None:
    """What shells ask when Tab is pressed: see `controller.cli.completer_shells`."""
    from controller.cli.completer_shells import BadQuestion, answer

    try:
        print("\n".join(answer(arguments, _completion)))
    except BadQuestion as error:
        from controller.cli.exit_codes import ExitCode

        sys.stderr.write(f"error: {error}\n")
        sys.exit(ExitCode.BAD_INPUT)


def complete_for_kubectl() -> None:
    """The program that kubectl asks what could follow `kubectl aim`, with the words so far."""
    from controller.cli.completer_shells import for_kubectl
    from controller.cli.reader import while_read

    with while_read():
        print("\n".join(for_kubectl(_completion(sys.argv[1:]))))


def _completion(words: Sequence[str]) -> "Completion":
    from controller.cli import completer, completer_names

    return completer.complete(words, [*AT_ONCE, *VERBS], syntax, completer_names.names)


def syntax(verb: str) -> "Syntax":
    """What a verb takes."""
    from controller.cli.completer import Syntax
    from controller.cli.completer_syntax import of_command, of_parser

    if verb in AT_ONCE:
        return of_parser(import_module(AT_ONCE[verb]).parser())
    import typer

    found = of_command(typer.main.get_command(command_line(verb))).commands[verb]
    own = {
        second: of_parser(import_module(module).parser())
        for (group, second), module in AT_ONCE_IN_A_GROUP.items()
        if group == verb
    }
    return Syntax(found.parameters, {**found.commands, **own})
