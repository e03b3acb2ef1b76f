"""Rules that act sooner: every wait, range and age is shorter, and nothing else differs."""

import re
from typing import Any

import pytest

from api.seconds import parse_duration
from dashboards.rules.alerts import rules, scaled
from dashboards.rules.pace import Pace

# Ages and ranges that rules compare with, found where they stand: behind a metric of seconds, and in brackets.
AGE = re.compile(r"(_seconds(?:\{[^}]*\})?(?:\[[0-9hms]+\]\))?\)(?: - time\(\))? [<>] )([0-9.]+)")
RANGE = re.compile(r"(\[)([0-9hms]+)(\])")
OFFSET = re.compile(r"( offset )([0-9hms]+)()")
# So few requests a second say nothing: a number of them within the window.
FEW = re.compile(r'(:rate5m\{ended="\w+"\}\) > )([0-9.]+)(\))')


def durations(found: dict[str, Any]) -> list[float]:
    rules = [rule for group in found["groups"] for rule in group["rules"]]
    return [parse_duration(rule[field]) for rule in rules for field in ("for", "keep_firing_for") if field in rule]


def expressions(found: dict[str, Any]) -> list[str]:
    return [rule["expr"] for group in found["groups"] for rule in group["rules"]]


def test_waits_are_shorter() -> None:
    real, fast = durations(rules()), durations(scaled(60))
    assert len(real) > 20
    assert fast == pytest.approx([seconds / 60 for seconds in real])


def test_ages_and_ranges_are_shorter_and_the_rest_is_the_same() -> None:
    for real, fast in zip(expressions(rules()), expressions(scaled(60)), strict=True):
        for pattern, read in ((AGE, float), (RANGE, parse_duration), (OFFSET, parse_duration)):
            before = [read(found[2]) for found in pattern.finditer(real)]
            after = [read(found[2]) for found in pattern.finditer(fast)]
            assert after == pytest.approx([seconds / 60 for seconds in before])
        few, fewer = ([float(found[2]) for found in FEW.finditer(text)] for text in (fast, real))
        assert few == pytest.approx([60 * least for least in fewer], rel=1e-3)
        without = [
            FEW.sub(r"\1\3", OFFSET.sub(r"\1", RANGE.sub(r"\1\3", AGE.sub(r"\1", text)))) for text in (real, fast)
        ]
        assert without[0] == without[1]


def test_every_age_and_range_is_looked_at() -> None:
    together = " ".join(expressions(rules()))
    assert len(AGE.findall(together)) == 11  # a claim's, seven of phases, an approval, two certificates
    assert len(RANGE.findall(together)) == 55


@pytest.mark.parametrize(("seconds", "text"), [(900, "15s"), (86_400, "24m"), (90, "1s500ms"), (0.01, "1ms")])
def test_a_pace_is_written_as_prometheus_reads_it(seconds: float, text: str) -> None:
    assert Pace(60).text(seconds) == text


def test_rules_cannot_be_slower_than_in_production() -> None:
    with pytest.raises(ValueError, match=r"factor 0\.5: give 1, or more"):
        Pace(0.5)
