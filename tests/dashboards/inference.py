"""What an expression's series are: their labels, their unit, and whether counters and gauges are used as such."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser as promql

from controller.runtime import instruments as runtime
from controller.runtime.instrument import Instrument, Kind
from controller.telemetry import instruments as product
from dashboards.firing import ALERTS
from dashboards.rules.alerts import alerts, recordings
from dashboards.rules.api_server import LABELS as API_SERVERS

SCRAPED = frozenset({"cluster", "job", "instance"})
"""Labels that whoever scrapes adds."""
PRODUCT = [value for value in vars(product).values() if isinstance(value, Instrument)]
DECLARED = [*PRODUCT, *runtime.ALL]
GROWTH = {"rate", "increase"}
SAME_LABELS = {*GROWTH, "avg_over_time", "max_over_time", "last_over_time"}


SHARE = "share"
"""The unit of what is 0 to 1 and cannot be added up."""
_SHARES = ("_ratio", "_utilization", "_usage", "_remaining", "_burn_rate")
#: The worst of these is the least; of all others it is the most.
WORST_IS_LEAST = {
    product.AGENT_UP.exported_name,
    product.PARTITION_HEALTH.exported_name,
    product.AGENT_HARDWARE_READABLE.exported_name,
    product.SERVICE_CONDITION.exported_name,
    product.SLO_BUDGET.exported_name,
    product.SLO_BURN_LIMIT.exported_name,
    product.CERTIFICATE_EXPIRY.exported_name,
}


class Wrong(Exception):
    """An expression that Prometheus takes, and that cannot mean what it should."""


@dataclass(frozen=True)
class Series:
    """Labels and unit of a vector; `kind` as long as it is what was scraped."""

    labels: frozenset[str]
    unit: str
    kind: Kind | None = None


SCALAR = None


@cache
def known() -> Mapping[str, Series]:
    """What each name stands for that can be asked for: declared, recorded, and Prometheus' own of alerts.

    What the API server tells, alerts alone ask for.
    """
    found = dict(_declared())
    for recording in recordings():
        meant = series_of(recording.expression, found.__getitem__)
        assert meant is not None, recording.name
        found[recording.name] = meant
    asked = found | {name: Series(labels | SCRAPED, "1", Kind.COUNTER) for name, labels in API_SERVERS.items()}
    labels = frozenset[str]().union(*(_labels(series_of(one.expression, asked.__getitem__)) for one in alerts()))
    found[ALERTS] = Series(labels | {"alertname", "alertstate", "severity"}, "1", Kind.GAUGE)
    return found


def _declared() -> Mapping[str, Series]:
    found = {}
    for one in DECLARED:
        labels = frozenset(one.labels) | SCRAPED
        if one.kind is Kind.HISTOGRAM:
            found[f"{one.exported_name}_bucket"] = Series(labels | {"le"}, f"bucket of {one.unit}", Kind.COUNTER)
            found[f"{one.exported_name}_count"] = Series(labels, "1", Kind.COUNTER)
            found[f"{one.exported_name}_sum"] = Series(labels, one.unit, Kind.COUNTER)
        else:
            unit = SHARE if one.name.endswith(_SHARES) else one.unit
            found[one.exported_name] = Series(labels, unit, one.kind)
    return found


def series_of(expression: str, meaning: Callable[[str], Series] | None = None) -> Series | None:
    """What an expression gives, None for a plain number. Raises Wrong."""
    return _of(promql.parse(expression), meaning or known().__getitem__)


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every selector of an expression."""
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(promql.parse(expression), visit)
    return found


def choices_in(expression: str) -> list[str]:
    """Every 'or' of an expression: it shows one thing where there is none of another."""
    found: list[str] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.BinaryExpr) and str(node.op) == "or":
            found.append(node.prettify())

    promql.walk(promql.parse(expression), visit)
    return found


def left_out(expression: str) -> list[str]:
    """Comparisons: they leave out the series for which they do not hold."""
    found: list[str] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.BinaryExpr) and str(node.op) in (">", "<", ">=", "<=", "==", "!="):
            found.append(node.prettify())

    promql.walk(promql.parse(expression), visit)
    return found


def senseless(expression: str) -> list[str]:
    """Groupings that say another thing: shares that are added up, amounts that are not, one for all that is not the worst."""
    found: list[str] = []

    def visit(node: promql.Expr) -> None:
        if not isinstance(node, promql.AggregateExpr):
            return
        names = {one.name for one in selectors(node.expr.prettify())}
        inner, operator = series_of(node.expr.prettify()), str(node.op)
        if operator == ("sum" if inner and inner.unit == SHARE else "avg"):
            found.append(node.prettify())
        if operator in ("min", "max") and (operator == "min") != (names <= WORST_IS_LEAST):
            found.append(node.prettify())

    promql.walk(promql.parse(expression), visit)
    return found


def _labels(series: Series | None) -> frozenset[str]:
    return series.labels if series else frozenset()


def _of(node: Any, meaning: Callable[[str], Series]) -> Series | None:
    if isinstance(node, promql.ParenExpr):
        return _of(node.expr, meaning)
    if isinstance(node, promql.NumberLiteral):
        return SCALAR
    if isinstance(node, promql.VectorSelector):
        return _selected(node, meaning)
    if isinstance(node, promql.MatrixSelector):
        return _selected(node.vector_selector, meaning)
    if isinstance(node, promql.AggregateExpr):
        return _aggregated(node, meaning)
    if isinstance(node, promql.Call):
        return _called(node, meaning)
    if isinstance(node, promql.BinaryExpr):
        return _combined(node, _of(node.lhs, meaning), _of(node.rhs, meaning))
    raise Wrong(f"{node.prettify()}: a {type(node).__name__}, which no query of ours needs")


def _selected(node: promql.VectorSelector, meaning: Callable[[str], Series]) -> Series:
    if node.name is None:
        raise Wrong(f"{node}: names no metric")
    try:
        found = meaning(node.name)
    except KeyError:
        raise Wrong(f"{node.name}: nobody exports or records it") from None
    if unknown := {one.name for one in node.matchers.matchers} - found.labels:
        raise Wrong(f"{node}: has no label {sorted(unknown)}")
    return found


def _aggregated(node: promql.AggregateExpr, meaning: Callable[[str], Series]) -> Series:
    inner = _vector(node.expr, meaning)
    operator = str(node.op)
    if inner.kind is Kind.COUNTER:
        raise Wrong(f"{node.prettify()}: a counter is added up over restarts; take its rate first")
    if operator in ("topk", "bottomk"):
        return Series(inner.labels, inner.unit)
    if node.modifier is None or node.modifier.type is not promql.AggModifierType.By:
        raise Wrong(f"{node.prettify()}: says not by what")
    by = frozenset(node.modifier.labels)
    if by - inner.labels:
        raise Wrong(f"{node.prettify()}: has no label {sorted(by - inner.labels)} to be grouped by")
    return Series(by, "1" if operator in ("count", "group") else inner.unit)


def _called(node: promql.Call, meaning: Callable[[str], Series]) -> Series | None:
    name = node.func.name
    if name == "time":
        return SCALAR
    if name == "histogram_quantile":
        inner = _vector(node.args[1], meaning)
        if "le" not in inner.labels or not inner.unit.startswith("bucket of "):
            raise Wrong(f"{node.prettify()}: no buckets")
        return Series(inner.labels - {"le"}, inner.unit.removeprefix("bucket of ").removesuffix("/s"))
    if name == "label_replace":
        inner = _vector(node.args[0], meaning)
        return Series(inner.labels | {node.args[1].val}, inner.unit, inner.kind)
    if name not in SAME_LABELS:
        raise Wrong(f"{node.prettify()}: {name} may tell what nobody measured")
    inner = _vector(node.args[0], meaning)
    if (name in GROWTH) != (inner.kind is Kind.COUNTER):
        raise Wrong(f"{node.prettify()}: {name} of a {inner.kind}")
    return Series(inner.labels, _per_second(inner.unit) if name == "rate" else inner.unit)


def _vector(node: Any, meaning: Callable[[str], Series]) -> Series:
    found = _of(node, meaning)
    if found is None:
        raise Wrong(f"{node.prettify()}: a number, where series are needed")
    return found


def _per_second(unit: str) -> str:
    return {"s": "1", "By.s": "By"}.get(unit, f"{unit}/s")


def _combined(node: promql.BinaryExpr, left: Series | None, right: Series | None) -> Series | None:
    operator = str(node.op)
    if left is None or right is None:
        return _with_number(node, operator, left or right)
    if operator == "or":
        return Series(left.labels | right.labels, _unit("-", left.unit, right.unit))
    labels = _matched(node, operator, left, right)
    return Series(labels, _unit(operator, left.unit, right.unit), left.kind if operator in ("and", "unless") else None)


def _with_number(node: promql.BinaryExpr, operator: str, series: Series | None) -> Series | None:
    if series is None:
        return SCALAR
    if series.kind is Kind.COUNTER:
        raise Wrong(f"{node.prettify()}: calculates with a counter")
    if operator == "*" and any(
        isinstance(side, promql.NumberLiteral) and not side.val for side in (node.lhs, node.rhs)
    ):
        raise Wrong(f"{node.prettify()}: always zero")
    if operator == "*" and isinstance(node.lhs, promql.NumberLiteral) and node.lhs.val == 60:
        return Series(series.labels, series.unit.replace("/s", "/min"))
    unit = series.unit if operator in ("-", "+", ">", "<", "==", ">=", "<=", "!=") else "scaled"
    return Series(series.labels, unit)


def _matched(node: promql.BinaryExpr, operator: str, left: Series, right: Series) -> frozenset[str]:
    matching = node.modifier.matching if node.modifier else None
    if matching is None:
        if left.labels != right.labels:
            raise Wrong(f"{node.prettify()}: sides differ in {sorted(left.labels ^ right.labels)} and never meet")
        return left.labels
    on = frozenset(matching.labels)
    if matching.type is not promql.LabelModifierType.Include or on - left.labels or on - right.labels:
        raise Wrong(f"{node.prettify()}: matches on what a side has not got")
    if operator in ("and", "unless"):
        return left.labels
    added = frozenset(node.modifier.group_labels or ()) if node.modifier else frozenset()
    if added - right.labels:
        raise Wrong(f"{node.prettify()}: takes labels that the other side has not got")
    many = node.modifier is not None and node.modifier.card == promql.VectorMatchCardinality.ManyToOne
    return left.labels | added if many else on


def _unit(operator: str, left: str, right: str) -> str:
    if operator in ("and", "unless", ">", "<", "==", ">=", "<="):
        return left
    if operator == "/":
        return SHARE if left == right else left if right == "1" else f"{left} in {right}"
    if operator == "*":
        return left if right == "1" else f"{left} x {right}"
    if left != right:
        raise Wrong(f"{left} {operator} {right}")
    return left
