import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from controller.telemetry.logs import configure_logs


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


def test_lines_are_json_objects_with_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", human=False)
    structlog.get_logger("x").info("claim bound", claim="team-a/aim-a", node="worker-0")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["claim"]) == ("claim bound", "info", "team-a/aim-a")
    assert line["timestamp"].endswith("Z")


def test_lower_levels_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", human=False)
    structlog.get_logger("x").info("not this")
    structlog.get_logger("x").warning("this")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["this"]


def test_an_unknown_level_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'loud' is unknown; use debug, info"):
        configure_logs("loud")
