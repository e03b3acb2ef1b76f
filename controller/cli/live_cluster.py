"""The real cluster, read once by the operator's own informers, for decisions that nobody carries out.

    who asks may list all of it? -> informers list -> the same tables, snapshot and sizing that the operator decides by

Nothing is written. Whether an agent is alive is judged by its Lease's time against this machine's clock; the operator,
which runs on, judges by changes that it sees.
"""

import asyncio
import gc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from api.group import OPERATOR_NAMESPACE
from controller.cli.live_budgets import DisruptionBudget, budget_of
from controller.cli.live_rights import assumed, unreadable
from controller.cli.priorities import PriorityClass, class_of
from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES
from controller.runtime.client.errors import Forbidden, Timeout
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock, RealClock
from controller.sizing.catalog import Catalog
from controller.state.cluster import Cluster
from controller.state.heartbeats import FRESH_SECONDS
from controller.state.models import Models
from controller.telemetry.logs import configure_logs

#: Longest that a cluster may take to be listed, seconds.
LIST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Live:
    """The cluster as it was a moment ago, what sizes models there, and as far as readable PriorityClasses by name and
    disruption budgets. `assumed`: sentences on what is taken for granted, as it may not be read.
    """

    cluster: Cluster
    sizing: Models
    classes: Mapping[str, PriorityClass] = field(default_factory=dict)
    budgets: tuple[DisruptionBudget, ...] = ()
    assumed: tuple[str, ...] = ()


async def read_cluster(client: Client, system_namespace: str = OPERATOR_NAMESPACE, clock: Clock | None = None) -> Live:
    """Everything that decisions are made on. Raises NotReadable, and the client's errors."""
    unread = await unreadable(client, system_namespace)
    return await list_cluster(client, system_namespace, unread, clock)


async def list_cluster(
    client: Client, system_namespace: str, unread: Collection[Resource], clock: Clock | None = None
) -> Live:
    """The same for who is known to have the rights, but for `unread`. Raises the client's errors."""
    clock = clock or RealClock()
    live = watched(client, system_namespace, clock)
    gc.freeze()  # each first list looks for garbage, and there is none in all that was imported
    await _filled(needed(live.cluster, unread))
    believe_leases(live.cluster, clock.now())
    return replace(live, assumed=tuple(map(assumed, unread)))


def watched(client: Client, system_namespace: str, clock: Clock, *, quiet: bool = True) -> Live:
    """A cluster and what sizes models there, both empty until the informers of `needed` run.

    `quiet`: log errors alone, as becomes a command; False leaves logs as they are.
    """
    if quiet:
        configure_logs("error")
    cluster = Cluster(client, clock, system_namespace=system_namespace)
    sizing = Models(Catalog.bundled())
    cluster.model_profiles.add_handler(sizing.take)
    return Live(cluster, sizing)


async def read_classes(client: Client) -> Mapping[str, PriorityClass]:
    """PriorityClasses by name, none for those who may not list them: of new pods that name one nobody knows then."""
    try:
        found = await client.list(PRIORITY_CLASSES)
    except Forbidden:
        return {}
    return {each["metadata"]["name"]: class_of(each) for each in found.items}


async def with_budgets(client: Client, live: Live) -> Live:
    """With all PodDisruptionBudgets; those who may not list them are told what is assumed."""
    try:
        found = await client.list(POD_DISRUPTION_BUDGETS)
    except Forbidden:
        return replace(live, assumed=(*live.assumed, assumed(POD_DISRUPTION_BUDGETS)))
    return replace(live, budgets=tuple(map(budget_of, found.items)))


def needed(cluster: Cluster, unread: Collection[Resource] = ()) -> tuple[Informer[Any], ...]:
    """What decisions depend on: of the operator's informers those of `unread`, ConfigMaps, slices, Deployments not."""
    followed: tuple[Informer[Any], ...] = (
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
        cluster.replica_sets,
        cluster.pods,
    )
    return tuple(each for each in followed if each.resource not in unread)


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


def believe_leases(cluster: Cluster, now: datetime) -> None:
    """Tell the heartbeats of every Lease that was renewed lately as if it had just been seen to be."""
    for key, lease in cluster.leases.store.snapshot().items():
        renewed = lease.spec.renew_time
        if renewed is not None and now - datetime.fromisoformat(renewed) <= timedelta(seconds=FRESH_SECONDS):
            cluster.heartbeats.take(StoreEvent(EventType.ADDED, key, None, lease))
