"""What a configuration comes to: routes, the dispatcher's settings, and a lane for each service and class.

Made whole before it is taken, so a request sees the old or the new one and never a part of each. What has to outlive a
reload, the tables of what requests took and the connections to engines, is handed over from one to the next.
"""

from collections.abc import Callable
from dataclasses import replace

from controller.gateway.configuration import ANYBODY, Caller, GatewayConfiguration, ServiceRoute
from controller.gateway.errors import Problem
from controller.gateway.latency import LatencyTable
from controller.gateway.routes import RouteTable
from controller.gateway.splice import Splicer
from controller.qos.service_counts import ServiceCounts
from controller.qos.settings import Member, PartitionSettings, QoSSettings

LANES_REMEMBERED = 65_536
"""Of different names, rights and hosts that mean a service; more than a cluster has, and a few megabytes."""

Tables = dict[tuple[str, str], LatencyTable]
"""What requests took, by service and class."""

MakeTable = Callable[[tuple[float, ...], ServiceCounts | None], LatencyTable]
"""Makes a service's table: of its objectives' thresholds, and what is counted against these."""


class Lane:
    """One service in one class: what its requests have in common.

    `ranked` and `plain` set the fields of bodies, for engines that take a priority and for those that take none.
    """

    __slots__ = ("model", "plain", "qos_class", "ranked", "route", "table")

    def __init__(self, route: ServiceRoute, qos_class: str, rank: int, table: LatencyTable) -> None:
        self.route = route
        self.model = route.key
        self.qos_class = qos_class
        self.table = table
        self.ranked = Splicer(rank, route.engine_model)
        self.plain = Splicer(None, route.engine_model)


class Serving:
    """All that requests are served by between two reloads. `before` is what they were served by before this one.

    `counts` has, for each service with objectives, its requests counted against them. Raises ValueError with every
    problem of a configuration that cannot be served.
    """

    def __init__(
        self, configuration: GatewayConfiguration, before: "Serving | None" = None, make_table: MakeTable = LatencyTable
    ) -> None:
        self.configuration = configuration
        self._make_table = make_table
        self.limits = configuration.limits
        self.routes = RouteTable(configuration)
        self.settings = qos_settings(configuration)
        problems = [*self.limits.problems(), *self.settings.validated()]
        if problems:
            raise ValueError("; ".join(problems))
        self._ranks = {one.name: one.rank for one in configuration.classes}
        self.counts = _counts(configuration, before)
        self.tables: Tables = {}
        for key, table in before.tables.items() if before is not None else ():
            counts = self.counts.get(key[0])
            if key[0] in self.settings.models and table.thresholds == _thresholds(counts):
                table.counts = counts
                self.tables[key] = table
        self.anybody = ANYBODY if configuration.open else None
        self._hosts = configuration.host_namespaces
        self._lanes: dict[tuple[str, str | None], Lane] = {}
        self._found: dict[tuple[str, frozenset[str] | None, str | None, str, str | None], Lane] = {}

    def lane(self, model: str, caller: Caller, host: str | None) -> Lane | Problem:
        """Where a request for `model` goes, or why nowhere."""
        key = (
            model,
            caller.namespaces,
            caller.ceiling,
            caller.tenant,
            self._hosts.get(host) if host is not None else None,
        )
        return self._found.get(key) or self._find_lane(key, model, caller, host)

    def _find_lane(
        self,
        key: tuple[str, frozenset[str] | None, str | None, str, str | None],
        model: str,
        caller: Caller,
        host: str | None,
    ) -> Lane | Problem:
        route = self.routes.resolve(model, caller, host)
        if isinstance(route, Problem):
            return route  # not remembered: there is no end of names that mean nothing
        lane = self._lanes.get((route.key, caller.ceiling)) or self._make_lane(route, caller.ceiling)
        if len(self._found) >= LANES_REMEMBERED:
            self._found.clear()
        self._found[key] = lane
        return lane

    def _make_lane(self, route: ServiceRoute, ceiling: str | None) -> Lane:
        qos_class = self._class_under(route.qos.qos_class, ceiling)
        table = self.tables.get((route.key, qos_class))
        if table is None:
            counts = self.counts.get(route.key)
            table = self.tables[route.key, qos_class] = self._make_table(_thresholds(counts), counts)
        lane = self._lanes[route.key, ceiling] = Lane(route, qos_class, self._ranks[qos_class], table)
        return lane

    def _class_under(self, wanted: str, ceiling: str | None) -> str:
        """The service's class, or the caller's ceiling where that is worse; of a ceiling nobody knows, the worst."""
        if ceiling is None:
            return wanted
        if ceiling not in self._ranks:
            ceiling = max(self._ranks, key=lambda name: (self._ranks[name], name))
        return wanted if self._ranks[wanted] >= self._ranks[ceiling] else ceiling


def qos_settings(configuration: GatewayConfiguration) -> QoSSettings:
    """The dispatcher's settings: services and their engines by partition.

    Where several pods share one, the lowest of what their services' policies say bounds it. A seat is a request, so of
    an engine's seats as many are left as have room for the most that a request may have generated at once.
    """
    sequences = configuration.limits.sequences
    partitions: dict[str, PartitionSettings] = {}
    for service in configuration.services:
        for endpoint in service.endpoints:
            seats = max(1, endpoint.seats // sequences)
            member = Member(endpoint.uid, service.key, seats, endpoint.ready)
            found = partitions.get(endpoint.partition) or PartitionSettings(endpoint.partition)
            shared = max(1, service.shared_seats // sequences) if service.shared_seats is not None else None
            bounds = [one for one in (found.seats, shared) if one is not None]
            partitions[endpoint.partition] = replace(
                found, members=(*found.members, member), seats=min(bounds, default=None)
            )
    for key, partition in partitions.items():
        if len(partition.members) == 1:  # nobody to share with
            partitions[key] = replace(partition, seats=None)
    return QoSSettings(
        classes=configuration.classes,
        models={service.key: service.qos for service in configuration.services},
        partitions=partitions,
        tenants=configuration.tenants,
    )


def without(settings: QoSSettings, endpoints: frozenset[str]) -> QoSSettings:
    """The same, but these endpoints get no new request."""
    if not endpoints:
        return settings
    partitions = dict(settings.partitions)
    for key, partition in settings.partitions.items():
        if any(one.endpoint in endpoints for one in partition.members):
            members = (replace(one, ready=one.ready and one.endpoint not in endpoints) for one in partition.members)
            partitions[key] = replace(partition, members=tuple(members))
    return replace(settings, partitions=partitions)


def _counts(configuration: GatewayConfiguration, before: Serving | None) -> dict[str, ServiceCounts]:
    """Of each service with objectives; where it had the same before, the counts go on."""
    found = {}
    for service in configuration.services:
        objectives = [(one.metric, one.threshold_seconds) for one in service.objectives]
        if objectives:
            known = before.counts.get(service.key) if before is not None else None
            found[service.key] = known.continued(objectives) if known is not None else ServiceCounts(objectives)
    return found


def _thresholds(counts: ServiceCounts | None) -> tuple[float, ...]:
    """The edges that histograms need; where they change a table begins anew, for no edge can be moved."""
    return tuple(sorted({threshold for _, threshold in counts.objectives})) if counts is not None else ()
