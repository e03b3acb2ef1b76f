"""Whether a namespace that somebody named is there: lists of one that is not are empty, and say nothing of it."""

from controller.runtime.client.client import Client
from controller.runtime.client.core import NAMESPACES
from controller.runtime.client.errors import Forbidden, NotFound


class NoNamespace(Exception):
    """There is none of that name; the text says so, and what to do."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no namespace is called {name!r}: kubectl get namespaces lists them")


async def require_namespace(client: Client, name: str | None) -> None:
    """Raise NoNamespace where it is not there; who may not look it up is believed. Raises the client's errors."""
    if name is None:
        return
    try:
        await client.get(NAMESPACES, name)
    except NotFound as error:
        raise NoNamespace(name) from error
    except Forbidden:
        return
