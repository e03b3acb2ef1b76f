"""sloLatencyMs is one entry of the hub's objectives; the others stay as they are."""

from typing import Any

import pytest

from api.conversion.latency import latency_of
from api.conversion.nested import ABSENT
from tests.builders.versions import flat_service, hub_service, stash_of, to_hub, to_spoke


def entry(threshold: str = "500ms", **other: str) -> dict[str, str]:
    """One objective with its defaults; the flat field can show it unless `other` changes that."""
    return {"metric": "requestLatency", "percentile": "p99", "objective": "99", "threshold": threshold} | other


WAIT = entry("1s", metric="queueWait")
STRICT = entry("2s", objective="99.9")


@pytest.mark.parametrize(
    ("threshold", "want"),
    [
        ("500ms", 500),
        ("1s", 1000),
        ("1.5s", 1500),
        ("1h30m", 5_400_000),
        ("0.5s500ms", 1000),
        ("999999999ms", 999_999_999),
        ("0.5ms", ABSENT),
        ("1.0005s", ABSENT),
        ("0s", ABSENT),
        ("277h46m40s", ABSENT),
        ("soon", ABSENT),
    ],
)
def test_whole_milliseconds_are_shown(threshold: str, want: Any) -> None:
    assert latency_of([entry(threshold)]) == want


@pytest.mark.parametrize(
    "other",
    [{"metric": "timeToFirstToken"}, {"percentile": "p95"}, {"objective": "99.0"}, {"objective": "95"}],
    ids=lambda other: next(iter(other)),
)
def test_another_objective_is_not_shown(other: dict[str, str]) -> None:
    assert latency_of([entry(**other)]) is ABSENT


@pytest.mark.parametrize("nonsense", [None, "x", [None], [{}], [{"metric": []}], [entry() | {"threshold": 5}]])
def test_what_is_no_objective_is_not_shown(nonsense: Any) -> None:
    assert latency_of(nonsense) is ABSENT


def test_one_objective_needs_no_stash() -> None:
    spoke = to_spoke(hub_service(qos={"slo": [entry("500ms")]}))
    assert (spoke["spec"]["sloLatencyMs"], stash_of(spoke)) == (500, None)


def test_the_first_that_fits_is_shown() -> None:
    assert to_spoke(hub_service(qos={"slo": [WAIT, STRICT, entry("3s"), entry("4s")]}))["spec"]["sloLatencyMs"] == 3000


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        pytest.param([WAIT, entry("1s"), STRICT], {}, [WAIT, entry("1s"), STRICT], id="no edit"),
        pytest.param([WAIT, entry("1s"), STRICT], {"sloLatencyMs": 7}, [WAIT, entry("7ms"), STRICT], id="changed"),
        pytest.param([WAIT, entry("1s"), STRICT], {"sloLatencyMs": None}, [WAIT, STRICT], id="removed"),
        pytest.param([WAIT, STRICT], {"sloLatencyMs": 7}, [WAIT, STRICT, entry("7ms")], id="added"),
        pytest.param([entry("1s"), entry("2s")], {"sloLatencyMs": 7}, [entry("7ms"), entry("2s")], id="first of two"),
        pytest.param([entry("1s"), WAIT, entry("2s")], {"sloLatencyMs": None}, [WAIT], id="all that would show go"),
        pytest.param([], {"sloLatencyMs": 7}, [entry("7ms")], id="added to an empty list"),
    ],
)
def test_an_edit_changes_its_own_entry(before: list[Any], edit: dict[str, Any], after: list[Any]) -> None:
    spoke = to_spoke(hub_service(qos={"slo": before}))
    spoke["spec"] = spoke["spec"] | edit
    hub = to_hub(spoke)
    assert hub["spec"]["qos"]["slo"] == after
    assert to_spoke(hub)["spec"].get("sloLatencyMs") == spoke["spec"].get("sloLatencyMs")


def test_without_a_stash_the_flat_field_is_all() -> None:
    assert to_hub(flat_service(sloLatencyMs=500))["spec"]["qos"]["slo"] == [entry("500ms")]
