"""Logs: constant messages with keys, JSON on stderr unless a person watches."""

import logging
import sys
from typing import TextIO

from controller.runtime.logger import set_up_by


def configure_logs(level: str = "info", *, human: bool | None = None) -> None:
    """Set up structlog for the process, where nothing has loaded it for when something does that logs.

    `human` None asks whether stderr is a terminal.

    Raises ValueError for a level that logging does not know.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level: {level!r} is unknown; use debug, info, warning or error")
    pretty = sys.stderr.isatty() if human is None else human
    stream = sys.stderr
    set_up_by(lambda: _configure_structlog(number, stream, pretty=pretty), number)
    logging.basicConfig(level=max(number, logging.WARNING), stream=stream, format="%(levelname)s %(name)s %(message)s")


def _configure_structlog(level: int, stream: TextIO, *, pretty: bool) -> None:
    import structlog

    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
