"""What every alert has: a severity, words, a page, labels to be routed by, and an expression over what is exported."""

import doctest
import re
from types import ModuleType

import promql_parser as promql
import pytest

from controller.runtime import instruments as runtime
from controller.runtime.instrument import Instrument, Kind
from controller.telemetry import instruments
from dashboards import rules
from dashboards.rules import expressions
from dashboards.rules.alerts import alerts, groups, recordings
from dashboards.rules.api_server import LABELS as API_SERVERS
from dashboards.rules.rule import Alert, Recording, Severity
from tests.dashboards.inference import SCRAPED

ALERTS = alerts()
RULES: list[Alert | Recording] = [*recordings(), *ALERTS]
NAMES = [rule.name for rule in RULES]
#: What people on call have to be told of, whatever else is.
ASKED = {
    "AimGpuMemoryExhausted",
    "AimGpuMemoryNearlyExhausted",
    "AimClaimsWait",
    "AimGpuMemoryFragmented",
    "AimRepartitionStuck",
    "AimRepartitionRolledBack",
    "AimNodeAgentLost",
    "AimGpuPartitionUnhealthy",
    "AimSloBurnsFast",
    "AimSloBurnsSlowly",
    "AimModelQueueSaturated",
    "AimCertificateExpiresSoon",
    "AimOperatorWithoutLeader",
    "AimWebhookErrors",
    "AimModelMemoryUnderestimated",
    "AimModelMemoryOverestimated",
}


def declared() -> dict[str, set[str]]:
    """Labels by name, of every series that a process of ours tells, a rule records or the API server is asked for."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in API_SERVERS.items()}
    for one in (*vars(instruments).values(), *vars(runtime).values()):
        if isinstance(one, Instrument):
            parts = {"_bucket": {"le"}, "_sum": set(), "_count": set()} if one.kind is Kind.HISTOGRAM else {"": set()}
            for part, more in parts.items():
                found[one.exported_name + part] = {*one.labels, *more}
    for recorded in recordings():
        by = re.findall(r" by \(([^)]*)\)", recorded.expression)
        added = re.findall(r', "(\w+)", "\w+", "\w*", "[^"]*"\)', recorded.expression)
        found[recorded.name] = {*by[0].split(", "), *added} - {"cluster"}
    return found


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Name and labels of the matchers of every series that an expression asks for."""
    found: list[tuple[str, set[str]]] = []

    def look(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append((node.name or "", {matcher.name for matcher in node.matchers.matchers}))

    promql.walk(promql.parse(expression), look)
    return found


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_expression_asks_for_what_is_exported(rule: Alert | Recording) -> None:
    known = declared()
    found = selectors(rule.expression)
    assert found
    for name, matched in found:
        assert name in known
        assert matched <= known[name]


def test_one_alert_alone_asks_for_what_others_than_us_tell() -> None:
    assert {rule.name for rule in RULES if {name for name, _ in selectors(rule.expression)} & API_SERVERS.keys()} == {
        "AimWebhookUnreachable"
    }


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_expression_groups_by_labels_that_its_series_have(rule: Alert | Recording) -> None:
    known = declared()
    labels = set[str]().union(*(known[name] for name, _ in selectors(rule.expression)), SCRAPED)
    named = re.findall(r" (?:by|on) \(([^)]*)\)", rule.expression)
    assert {label for group in named for label in group.split(", ") if label} - {"cluster"} <= labels
    assert all("cluster" in group.split(", ") for group in named)


@pytest.mark.parametrize("alert", ALERTS, ids=[one.name for one in ALERTS])
def test_an_alert_says_what_where_and_what_to_do(alert: Alert) -> None:
    assert re.fullmatch(r"Aim[A-Z][A-Za-z]+", alert.name)
    assert alert.severity in Severity
    assert 20 < len(alert.summary) < 100
    assert "{{" not in alert.summary
    assert alert.description.endswith(".")


@pytest.mark.parametrize("alert", ALERTS, ids=[one.name for one in ALERTS])
def test_a_description_uses_labels_that_the_alert_has(alert: Alert) -> None:
    used = set(re.findall(r"\$labels\.([a-z_]+)", alert.description))
    kept = re.search(r" by \(([^)]*)\)", alert.expression)
    if kept is None:
        recorded = next(one for one in recordings() if one.name in alert.expression)
        kept = re.search(r" by \(([^)]*)\)", recorded.expression)
    assert kept is not None
    assert used <= set(kept[1].split(", "))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_expression_cannot_always_hold(rule: Alert | Recording) -> None:
    assert "vector(" not in rule.expression
    assert "absent" not in rule.expression
    assert not re.search(r"\bor (on \(\) )?[0-9]|\bbool\b", rule.expression)


def test_all_that_was_asked_for_is_told() -> None:
    assert {one.name for one in ALERTS} >= ASKED


@pytest.mark.parametrize("module", [rules, expressions], ids=["rules", "expressions"])
def test_examples_are_true(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 < tried.attempted


def test_names_are_told_apart() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert len({group.name for group in groups()}) == len(groups())
