"""Whether who asks may list all that decisions are made on. It is asked before anything that decides is imported."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from controller.runtime.client.client import Client, Selection
from controller.runtime.client.core import (
    LEASES,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
)
from controller.runtime.client.errors import ApiError, Forbidden, NotFound
from controller.runtime.client.resource import Resource
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)

NEEDED: Final[tuple[Resource, ...]] = (
    NAMESPACES,
    NODES,
    LEASES,
    GPU_NODES,
    GPU_SHARING_POLICIES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
    GPU_PARTITION_CLAIMS,
    RESOURCE_CLAIMS,
    INFERENCE_SERVICES,
    REPLICA_SETS,
    PODS,
)
"""What `live_cluster` lists."""

ASSUMED: Final[Mapping[Resource, str]] = {
    REPLICA_SETS: "a moved pod counts as replaced once a later pod of its controller's serves, while the operator "
    "counts the pods that its ReplicaSet wants; and each waiting pod counts as of its Deployment's newest revision",
    POD_DISRUPTION_BUDGETS: "pods are shown to leave that one may keep",
}
"""What is decided without, and what is assumed then."""

#: API servers without them are served as well.
_NOT_EVERYWHERE: Final = frozenset({RESOURCE_CLAIMS})


class NotReadable(Exception):
    """What the caller may not list. `resources` are their names; the text says what is missing."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"the right to list {', '.join(missing)} is missing")
        self.resources = tuple(missing)


def assumed(unread: Resource) -> str:
    """The sentence on a resource of `ASSUMED` that may not be listed."""
    return f"the right to list {unread} is missing: {ASSUMED[unread]}"


async def unreadable(client: Client, system_namespace: str) -> frozenset[Resource]:
    """What may not be listed of `NEEDED` and can be done without: an informer would try it again and again.

    Raises NotReadable where something cannot be done without, and the client's errors.
    """
    unread: set[Resource] = set()
    missing: list[str] = []
    failed: list[ApiError] = []

    async def look(resource: Resource) -> None:
        namespace = system_namespace if resource == LEASES else None
        try:
            await client.list_page(resource, Selection(namespace), limit=1)
        except Forbidden:
            if resource in ASSUMED:
                unread.add(resource)
            else:
                missing.append(f"{resource}{f' in {namespace}' if namespace else ''}")
        except ApiError as error:
            if not (isinstance(error, NotFound) and resource in _NOT_EVERYWHERE):
                failed.append(error)

    async with asyncio.TaskGroup() as group:
        for resource in NEEDED:
            group.create_task(look(resource))
    if failed:
        raise failed[0]
    if missing:
        raise NotReadable(sorted(missing))
    return frozenset(unread)
