"""What the swept processes log at error level belongs to the case's findings; the rest is left out."""

import gc
from collections.abc import Iterator

import pytest

from tests.sweep.forks import Forks
from tests.sweep.logged import errors_to


@pytest.fixture(autouse=True, scope="package")
def few_objects_to_look_at() -> Iterator[None]:
    """Each case makes and drops thousands of objects: the collector need not look at all that is there besides."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def errors_logged() -> Iterator[list[str]]:
    """What was logged as an error, with its exception, as texts."""
    logged: list[str] = []
    with errors_to(logged):
        yield logged


@pytest.fixture(scope="module")
def forks(request: pytest.FixtureRequest) -> Iterator[Forks]:
    """The selected cases of the module, being played: its name PLAY says how."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
        and "case" in item.callspec.params
    ]
    made = Forks(request.module.PLAY, chosen)
    yield made
    made.close()
