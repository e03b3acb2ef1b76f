"""The real cluster, read once by the operator's own informers, for decisions that nobody carries out.

    who asks may list all of it? -> informers list -> the same tables, snapshot and sizing that the operator decides by

Nothing is written. Whether an agent is alive is judged by its Lease's time against this machine's clock; the operator,
which runs on, judges by changes that it sees.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.cli.live_budgets import DisruptionBudget, budget_of
from controller.cli.priorities import PriorityClass, class_of
from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.core import POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES
from controller.runtime.client.errors import ApiError, Forbidden, NotFound, Timeout
from controller.runtime.clock import Clock, RealClock
from controller.sizing.catalog import Catalog
from controller.state.cluster import Cluster
from controller.state.heartbeats import FRESH_SECONDS
from controller.state.models import Models
from controller.state.served import ServedInformer
from controller.telemetry.logs import configure_logs

#: Longest that a cluster may take to be listed, seconds.
LIST_SECONDS: Final = 120.0

SystemNamespace = Annotated[
    str, typer.Option(help="Namespace of the operator and of its agents' Leases.", show_default=True)
]


class NotReadable(Exception):
    """What the caller may not list. `resources` are their names; the text says what is missing."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"the right to list {', '.join(missing)} is missing")
        self.resources = tuple(missing)


@dataclass(frozen=True, slots=True)
class Live:
    """The cluster as it was a moment ago, what sizes models there, and as far as readable PriorityClasses by name and
    disruption budgets.
    """

    cluster: Cluster
    sizing: Models
    classes: Mapping[str, PriorityClass] = field(default_factory=dict)
    budgets: tuple[DisruptionBudget, ...] = ()


async def read_cluster(client: Client, system_namespace: str = SYSTEM_NAMESPACE, clock: Clock | None = None) -> Live:
    """Everything that decisions are made on. Raises NotReadable, and the client's errors."""
    configure_logs("error")
    clock = clock or RealClock()
    cluster = Cluster(client, clock, system_namespace=system_namespace)
    sizing = Models(Catalog.bundled())
    cluster.model_profiles.add_handler(sizing.take)
    await _refuse_what_may_not_be_read(client, cluster, system_namespace)
    await _filled(_needed(cluster))
    _believe_leases(cluster, clock.now())
    return Live(cluster, sizing)


async def read_classes(client: Client) -> Mapping[str, PriorityClass]:
    """PriorityClasses by name, none for those who may not list them: of new pods that name one nobody knows then."""
    try:
        found = await client.list(PRIORITY_CLASSES)
    except Forbidden:
        return {}
    return {each["metadata"]["name"]: class_of(each) for each in found.items}


async def read_budgets(client: Client) -> tuple[DisruptionBudget, ...] | None:
    """All PodDisruptionBudgets; None for those who may not list them."""
    try:
        found = await client.list(POD_DISRUPTION_BUDGETS)
    except Forbidden:
        return None
    return tuple(map(budget_of, found.items))


def _needed(cluster: Cluster) -> tuple[Informer[Any], ...]:
    """What decisions depend on: of the operator's informers not those of ConfigMaps, slices and Deployments."""
    return (
        cluster.namespaces,
        cluster.nodes,
        cluster.leases,
        cluster.gpu_nodes,
        cluster.policies,
        cluster.model_profiles,
        cluster.plans,
        cluster.claims,
        cluster.resource_claims,
        cluster.services,
        cluster.pods,
    )


async def _refuse_what_may_not_be_read(client: Client, cluster: Cluster, system_namespace: str) -> None:
    """An informer would try a list that is forbidden again and again."""
    missing: list[str] = []
    failed: list[ApiError] = []

    async def look(informer: Informer[Any]) -> None:
        namespace = system_namespace if informer is cluster.leases else None
        try:
            await client.list_page(informer.resource, Selection(namespace), limit=1)
        except Forbidden:
            missing.append(f"{informer.resource}{f' in {namespace}' if namespace else ''}")
        except ApiError as error:
            if not (isinstance(error, NotFound) and isinstance(informer, ServedInformer)):
                failed.append(error)

    async with asyncio.TaskGroup() as group:
        for informer in _needed(cluster):
            group.create_task(look(informer))
    if failed:
        raise failed[0]
    if missing:
        raise NotReadable(sorted(missing))


async def _filled(informers: Sequence[Informer[Any]]) -> None:
    late: CacheNotSynced | None = None
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(informer.run()) for informer in informers]
        try:
            for informer in informers:
                await informer.wait_synced(LIST_SECONDS)
        except CacheNotSynced as error:
            late = error
        finally:
            for task in running:
                task.cancel()
    if late is not None:
        raise Timeout(0, "NotListed", str(late)) from late


def _believe_leases(cluster: Cluster, now: datetime) -> None:
    """Tell the heartbeats of every Lease that was renewed lately as if it had just been seen to be."""
    for key, lease in cluster.leases.store.snapshot().items():
        renewed = lease.spec.renew_time
        if renewed is not None and now - datetime.fromisoformat(renewed) <= timedelta(seconds=FRESH_SECONDS):
            cluster.heartbeats.take(StoreEvent(EventType.ADDED, key, None, lease))
