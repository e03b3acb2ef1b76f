"""How alerts are held against scenes, on made-up histories."""

from collections.abc import Sequence

import pytest

from e2e.prometheus.api import Series
from tests.integration.metrics.judgement import Expected, Scene, misfires

SCENES = (
    Scene("lost", 100.0, 150.0, (Expected("AgentLost", {"node": "a"}),), allowed=(Expected("Missing"),)),
    Scene("full", 200.0, 250.0, (Expected("Full"),)),
)
History = Sequence[tuple[str, dict[str, str], int, int]]
GOOD: History = (("AgentLost", {"node": "a"}, 120, 140), ("Full", {}, 210, 240))


def series(alert: str, labels: dict[str, str], start: int, end: int) -> Series:
    named = {"__name__": "ALERTS", "alertname": alert, "alertstate": "firing", **labels}
    return Series(named, [(float(at), 1.0) for at in range(start, end + 1)])


@pytest.mark.parametrize(
    ("history", "want"),
    [
        pytest.param(GOOD, [], id="as asked"),
        pytest.param((*GOOD, ("Missing", {"job": "agent"}, 110, 149)), [], id="what may fire besides"),
        pytest.param(
            (("AgentLost", {"node": "a"}, 99, 151), GOOD[1]), [], id="a second early and late, as clocks may differ"
        ),
        pytest.param(GOOD[:1], ["full: Full {} did not fire"], id="one stays silent"),
        pytest.param(
            (("AgentLost", {"node": "b"}, 120, 140), GOOD[1]),
            [
                "lost: AgentLost {'node': 'a'} did not fire",
                "AgentLost fired during lost, for {'node': 'b'}, and should not have",
            ],
            id="it fires for somebody else",
        ),
        pytest.param(
            (*GOOD, ("Full", {"product": "x"}, 90, 92)),
            ["Full fired before the first scene, for {'product': 'x'}, and should not have"],
            id="it fires before",
        ),
        pytest.param(
            (GOOD[0], ("Full", {}, 210, 260)), ["Full fired after full, for {}, and should not have"], id="it goes on"
        ),
        pytest.param(
            (*GOOD, ("Full", {}, 120, 121)),
            ["Full fired during lost, for {}, and should not have"],
            id="it fires in another's scene",
        ),
        pytest.param(
            (GOOD[0], ("Full", {}, 160, 199)),
            ["full: Full {} did not fire", "Full fired after lost, for {}, and should not have"],
            id="too early, by more than clocks differ",
        ),
    ],
)
def test_what_is_wrong_is_told(history: History, want: list[str]) -> None:
    assert misfires(SCENES, [series(*one) for one in history]) == want
