"""How requests end: every answer that the gateway and engines give has the ending that alerts and panels go by."""

import json
from pathlib import Path

import pytest

from controller.gateway import exchange
from controller.qos.refusal import RATE_LIMITED, STATUS
from dashboards.rules.endings import CROWDED, Ending, told_apart
from e2e.prometheus.programs import Programs
from tests.dashboards.rules.promtool import judge, of, write

REASONS = list(exchange._SENTENCES)
ENDINGS: dict[tuple[str, str], Ending] = {
    ("200", ""): Ending.SERVED,
    ("307", ""): Ending.SERVED,
    ("400", ""): Ending.CALLER,
    ("400", "TooManySequences"): Ending.CALLER,
    ("429", ""): Ending.CALLER,
    ("4xx", ""): Ending.CALLER,
    ("499", "ClientGone"): Ending.CALLER,
    ("500", ""): Ending.FAILED,
    ("5xx", ""): Ending.FAILED,
    **{(code, reason): Ending.FAILED for code in ("200", "400", "502", "504") for reason in REASONS},
    **{(str(status), reason): Ending.FAILED for reason, status in STATUS.items()},
    **{(str(STATUS[reason]), reason): Ending.CROWDED for reason in CROWDED},
    ("429", RATE_LIMITED): Ending.CALLER,
}


@pytest.mark.needs_prometheus
def test_every_request_has_its_ending(prometheus_programs: Programs, tmp_path: Path) -> None:
    told = {of("asked", code=code, reason=reason): "1x1" for code, reason in ENDINGS}
    wanted = [
        {"labels": of("asked", code=code, reason=reason, ended=ending), "value": 1}
        for (code, reason), ending in ENDINGS.items()
    ]
    path = write(tmp_path, "endings", [], [])
    tests = json.loads(path.read_text())
    tests["tests"] = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in told.items()],
            "promql_expr_test": [{"expr": told_apart("asked"), "eval_time": "1m", "exp_samples": wanted}],
        }
    ]
    path.write_text(json.dumps(tests))
    verdicts = judge(prometheus_programs.promtool, [path])
    assert verdicts.passed == {path.name}, verdicts.output


def test_whoever_is_refused_at_once_found_no_room_or_was_too_fast() -> None:
    assert {reason for reason, status in STATUS.items() if status != 503} == {*CROWDED, RATE_LIMITED}
    assert len(REASONS) == 5
