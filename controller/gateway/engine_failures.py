"""Failures of engines: counted by reason, and logged without flooding the log when an engine fails again and again."""

import structlog

LOG_AGAIN_SECONDS = 10.0
"""Between two lines about the same engine."""


class EngineFailures:
    """`by_reason` counts since the start. `forget` drops engines that are gone."""

    def __init__(self) -> None:
        self.by_reason: dict[str, int] = {}
        self._logged: dict[str, tuple[float, int]] = {}  # by engine: when last, and how many since without a line
        self._log = structlog.get_logger(__name__)

    def add(self, engine: str, request_id: str, model: str, reason: str, message: str, now: float) -> None:
        """Count a failure of the engine with this uid."""
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        at, unsaid = self._logged.get(engine, (-LOG_AGAIN_SECONDS, 0))
        if now - at < LOG_AGAIN_SECONDS:
            self._logged[engine] = (at, unsaid + 1)
            return
        self._logged[engine] = (now, 0)
        self._log.warning(
            "engine failed",
            engine=engine,
            model=model,
            reason=reason,
            problem=message,
            request_id=request_id,
            not_logged_before=unsaid,
        )

    def reached(self, engine: str, tries: int) -> None:
        """It could not be reached, and now it can; that took so many tries."""
        self._log.info("engine can be reached again", engine=engine, tries=tries)

    def forget(self, engines: set[str]) -> None:
        """Keep no more of these than their counts."""
        for engine in engines:
            self._logged.pop(engine, None)
