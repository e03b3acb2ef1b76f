"""What the swept processes log at error level."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def errors_to(logged: list[str]) -> Iterator[None]:
    """Within the block every error that is logged becomes a text of `logged`, with its exception; the rest is left out."""

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
        yield
    finally:
        structlog.configure(**before)
