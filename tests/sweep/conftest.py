"""What the swept processes log at error level belongs to the case's findings; the rest is left out."""

import gc
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog


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

    def keep(_: Any, method: str, event: MutableMapping[str, Any]) -> str:
        logged.append(str(event))
        return ""

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    try:
        yield logged
    finally:
        structlog.configure(**before)
