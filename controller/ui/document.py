"""The whole cluster as one document of rows, made anew only where something changed. No I/O.

    Cluster (tables and nodes) -> rows, each kept while what it is made of is the same -> document

A table replaces the object of a row when it changes, and placement's nodes are replaced likewise: so a row whose parts
are the same objects as last time is the same row, and documents can be compared in the time of what changed.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.gpu_partition_claim.context import Surroundings
from controller.reconcilers.share_group.controller import of_group
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.pod import Pod
from controller.translate.pod import claim_name
from controller.ui.claim_row import claim_row
from controller.ui.differences import Document
from controller.ui.group_rows import group_rows
from controller.ui.node_row import node_row
from controller.ui.plan_row import ENDED, ended_time, plan_row, standing
from controller.ui.service_row import service_row

#: Counts up when a reader of the last form would misread this one.
FORMAT: Final = 1
#: Plans that have ended and are shown still, the latest.
MOST_ENDED: Final = 5

SECTIONS: Final = ("nodes", "claims", "services", "plans")


class _Kept:
    """Rows of one section with the objects that they were made of."""

    def __init__(self, make: Callable[..., dict[str, Any]]) -> None:
        self._make = make
        self._rows: dict[str, tuple[tuple[object, ...], dict[str, Any]]] = {}

    def rows(self, parts: Iterable[tuple[str, tuple[object, ...]]]) -> dict[str, dict[str, Any]]:
        """The rows of these parts, sorted by key."""
        made = {}
        for key, now in sorted(parts, key=itemgetter(0)):
            known = self._rows.get(key)
            # tuples look at identity first: of parts that are the same objects nothing is compared
            made[key] = (now, known[1] if known is not None and known[0] == now else self._make(*now))
        self._rows = made
        return {key: row for key, (_, row) in made.items()}


class _Claims:
    """Rows of claims, of which there are thousands: those are made anew that an event was about, theirs or a pod's.

    A share group has several rows: see `group_rows`. Of pods without a share, what they lack may come by other events.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._rows: dict[str, dict[str, dict[str, Any]]] = {}
        self._marked: set[str] = set()
        around.cluster.claims.add_handler(self._claim)
        around.cluster.pods.add_handler(self._pod)

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of this moment, sorted by key."""
        marked, self._marked = self._marked, set()
        for key in marked:
            known = self._rows.get(key, {})
            made = self._made(key)
            if made:
                self._rows[key] = {name: known[name] if known.get(name) == row else row for name, row in made.items()}
            else:
                self._rows.pop(key, None)
            if any(name != key for name in made):
                self._marked.add(key)
        return dict(sorted((item for rows in self._rows.values() for item in rows.items()), key=itemgetter(0)))

    def _made(self, key: str) -> dict[str, dict[str, Any]]:
        cluster = self._around.cluster
        claim = cluster.claim_table.get(key)
        shared = claim.spec.share_group is not None if claim is not None else of_group(key.partition("/")[2])
        if shared:
            return group_rows(self._around, key, claim)
        if claim is None:
            return {}
        pod = cluster.pod_table.of_claim(claim)
        return {key: claim_row(claim, [pod] if pod is not None else [])}

    def _claim(self, event: StoreEvent[Manifest]) -> None:
        self._marked.add(event.key)

    def _pod(self, event: StoreEvent[Pod]) -> None:
        for pod in filter(None, (event.old, event.new)):
            name = claim_name(pod)
            if name is not None:
                self._marked.add(f"{pod.metadata.namespace}/{name}")


class Reader:
    """Reads one cluster again and again; `read` is synchronous, so that a document is of one moment."""

    def __init__(self, around: Surroundings) -> None:
        self._cluster = around.cluster
        self._nodes, self._claims = _Kept(node_row), _Claims(around)
        self._services, self._plans = _Kept(service_row), _Kept(plan_row)

    def read(self) -> Document:
        """The document of this moment: rows by key in each of `SECTIONS`."""
        cluster = self._cluster
        seen = cluster.snapshot()
        return {
            "nodes": self._nodes.rows((key, (told, seen.node(key))) for key, told in cluster.gpu_node_table.items()),
            "claims": self._claims.rows(),
            "services": self._services.rows((key, (service,)) for key, service in cluster.service_table.items()),
            "plans": self._plans.rows((plan.metadata.name, (plan,)) for plan in shown(cluster.plan_table.values())),
        }


def shown(plans: Iterable[RepartitionPlan]) -> list[RepartitionPlan]:
    """The plans that have not ended, and of those that have the latest few."""
    known = [(ended_time(plan), plan) for plan in plans]
    ended = sorted(
        ((at, plan.metadata.name, plan) for at, plan in known if at is not None),
        key=lambda each: each[:2],
        reverse=True,
    )
    open_ = [plan for _, plan in known if standing(plan) != ENDED]
    return [*open_, *(plan for _, _, plan in ended[:MOST_ENDED])]
