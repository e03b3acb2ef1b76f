"""What every verb that talks to a cluster shares: a client, and errors for people."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from controller.cli.exit_codes import ExitCode
from controller.cli.output import failed, note, refuse
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.client.errors import ApiError, Forbidden, Timeout, Unauthorized, Unavailable

T = TypeVar("T")


class Cluster:
    """A cluster as a command reaches it. `purpose` stands in messages: "approve plan p".

    Connections live for one `ask`: while a person reads and decides, none is held. Connection settings that cannot be
    used end the command with exit code 2.
    """

    def __init__(self, kubeconfig: Path | None, context: str | None, purpose: str) -> None:
        self._purpose = purpose
        try:
            self._configuration = ClientConfiguration.load(kubeconfig, context)
        except ConfigurationError as error:
            refuse(str(error))

    @property
    def namespace(self) -> str:
        """The namespace that is meant where none is named."""
        return self._configuration.namespace

    def ask(self, question: Callable[[Client], Awaitable[T]], *, expect: tuple[type[ApiError], ...] = ()) -> T:
        """What `question` answers, given a client.

        Errors of the API end the command with exit code 1 and a sentence, but for those that the caller expects.
        """
        try:
            return asyncio.run(self._ask(question))
        except expect:
            raise
        except ConfigurationError as error:  # of a credential plugin, which runs when it is needed
            refuse(str(error))
        except ApiError as error:
            raise failed(f"cannot {self._purpose}: {self._explained(error)}") from error

    async def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        async with Client(self._configuration, user_agent="aim-gpu") as client:
            return await question(client)

    def _explained(self, error: ApiError) -> str:
        match error:
            case Forbidden():
                return f"{error.message}; ask an administrator of the cluster for the right"
            case Unauthorized():
                return f"{self._configuration.server} does not take {self._configuration.shown}; log in anew"
            case Unavailable() | Timeout():
                return f"{self._configuration.server} does not answer ({error.message}); see that it is the right one"
            case _:
                return error.message


def at_terminal() -> bool:
    """Whether a person could answer."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> bool:
    """Whether the person says so; without a terminal there is nobody to ask, which ends the command (exit code 2).

    So does Ctrl-C (130). An end of input is a no.
    """
    if yes:
        return True
    if not at_terminal():
        refuse("nobody to ask: stdin is no terminal; look at what would be done and give --yes")
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as aborted:
        note("")  # the end of the line with the question
        if isinstance(aborted.__context__, EOFError):
            return False
        note("nothing was changed")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
