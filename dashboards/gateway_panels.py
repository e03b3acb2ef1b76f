"""How the gateway and the exporter of engines fare themselves: connections, engines they cannot use, replicas."""

from grafana_foundation_sdk.builders import timeseries

from controller.telemetry.instruments import (
    ENGINE_SCRAPES,
    ENGINES_WATCHED,
    GATEWAY_CONNECTIONS,
    GATEWAY_ENGINE_FAILURES,
    GATEWAY_FOREIGN_SEATS,
    GATEWAY_REJECTED,
    GATEWAY_RELOADS,
    GATEWAY_REPLICAS,
    GATEWAY_SHARD_TERMS,
    GATEWAY_SHARDS,
    GATEWAY_TURNED_AWAY,
    GATEWAY_UNREACHABLE,
    GATEWAY_UNROUTED,
)
from dashboards.board import Section
from dashboards.links import to_runbook
from dashboards.panels import Caption, Query, events, graph
from dashboards.promql import Scope, highest, per_minute, total


def section(number: int, scope: Scope) -> Section:
    """The panels, numbered from `number` on. They are of all services: what arrives here has none yet, or any."""
    panels = [
        _connections(number + 1, scope),
        _turned_away(number + 2, scope),
        _failures(number + 3, scope),
        _unusable(number + 4, scope),
        _configurations(number + 5, scope),
        _shards(number + 6, scope),
        _engines(number + 7, scope),
        _readings(number + 8, scope),
    ]
    return Section(number, "The gateway and the exporter of engines", panels)


def _connections(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(number, "Clients' connections", "Open now, of all replicas together.", "short")
    return graph(caption, Query(total(scope.series(GATEWAY_CONNECTIONS), ()), "{{cluster}}"))


def _turned_away(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Turned away at the door",
        "In a minute: connections beyond the limits, and requests for no service, by reason: a model that nobody "
        "serves, or that the caller may not use.",
        "cpm",
    )
    return events(
        caption,
        Query(total(per_minute(scope.series(GATEWAY_TURNED_AWAY)), ()), "{{cluster}} connections"),
        Query(total(per_minute(scope.series(GATEWAY_UNROUTED)), ("reason",)), "{{cluster}} {{reason}}"),
    )


def _failures(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Failures of engines",
        "In a minute, by reason: connections refused or cut, answers that are none, answers too late.",
        "cpm",
    )
    query = Query(total(per_minute(scope.series(GATEWAY_ENGINE_FAILURES)), ("reason",)), "{{cluster}} {{reason}}")
    return events(caption, query).links([to_runbook("AimModelRequestsFail")])


def _unusable(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Engines that are not used",
        "unreachable: connections fail, tried again; rejected: entries of EndpointSlices that are no engines of ours, "
        "by reason. What replicas see, the most of them.",
        "short",
    )
    return graph(
        caption,
        Query(highest(scope.series(GATEWAY_UNREACHABLE), ()), "{{cluster}} unreachable"),
        Query(highest(scope.series(GATEWAY_REJECTED), ("reason",)), "{{cluster}} rejected {{reason}}"),
    )


def _configurations(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Configurations, and shards that changed hands",
        "In a minute: configurations that were taken, or refused, in which case the former one stays in force; and "
        "with --shards, shards that replicas got.",
        "cpm",
    )
    return events(
        caption,
        Query(total(per_minute(scope.series(GATEWAY_RELOADS)), ("result",)), "{{cluster}} {{result}}"),
        Query(total(per_minute(scope.series(GATEWAY_SHARD_TERMS)), ()), "{{cluster}} shards"),
    )


def _shards(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Shards and replicas",
        "With --shards: shards held, and claimed and not held yet; replicas, as the one sees that sees most; and seats "
        "of engines that requests of former owners may still use.",
        "short",
    )
    return graph(
        caption,
        Query(total(scope.series(GATEWAY_SHARDS), ("state",)), "{{cluster}} {{state}}"),
        Query(highest(scope.series(GATEWAY_REPLICAS), ()), "{{cluster}} replicas"),
        Query(total(scope.series(GATEWAY_FOREIGN_SEATS), ()), "{{cluster}} foreign seats"),
    )


def _engines(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Engines read by the exporter",
        "Engines whose own metrics are read now, for services without the gateway.",
        "short",
    )
    return graph(caption, Query(total(scope.series(ENGINES_WATCHED), ()), "{{cluster}}"))


def _readings(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Readings of engines' metrics, by result",
        "In a minute: success, or what failed. Figures of services whose engines cannot be read stand still.",
        "cpm",
    )
    return events(
        caption,
        Query(total(per_minute(scope.series(ENGINE_SCRAPES)), ("result",)), "{{cluster}} {{result}}"),
    )
