"""What admission is judged by: a cluster whose caches hold exactly what a test lists, and questions to a validator."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from controller.placement.snapshot import Gpu
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse
from controller.sizing.catalog import Catalog
from controller.state.cluster import Cluster
from controller.state.models import Models
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object

Object = dict[str, Any]
NAMESPACES: Mapping[str, Mapping[str, str]] = {"team-a": {"team": "a"}, "team-b": {"team": "b"}}


class Ground:
    """`nodes`: GPUs by node name, () for one whose agent is silent; `labels`: further labels of nodes.

    `profiles` None: they were not read yet.
    """

    def __init__(
        self,
        *,
        policies: Sequence[Object] = (),
        nodes: Mapping[str, Sequence[Gpu]] | None = None,
        labels: Mapping[str, Mapping[str, str]] | None = None,
        services: Sequence[Object] = (),
        profiles: Sequence[Object] | None = (),
        namespaces: Mapping[str, Mapping[str, str]] = NAMESPACES,
        synced: bool = True,
    ) -> None:
        self.fed = FedCluster()
        cluster = self.fed.cluster
        self.models = Models(Catalog.bundled())
        cluster.model_profiles.add_handler(self.models.take)
        if not synced:
            return
        known = nodes or {}
        self.fed.listed(cluster.policies, *policies)
        self.fed.listed(cluster.namespaces, *(_namespace(name, has) for name, has in namespaces.items()))
        self.fed.listed(cluster.nodes, *(node_object(name, labels=(labels or {}).get(name)) for name in known))
        self.fed.listed(cluster.gpu_nodes, *(_gpu_node(name, gpus) for name, gpus in known.items()))
        self.fed.listed(cluster.services, *services)
        if profiles is not None:
            self.fed.listed(cluster.model_profiles, *profiles)

    @property
    def cluster(self) -> Cluster:
        """The tables."""
        return self.fed.cluster

    @staticmethod
    def question(
        obj: Object | None,
        old: Object | None = None,
        *,
        namespace: str = "team-a",
        operation: str | None = None,
        sent_as: str = "v1beta1",
    ) -> AdmissionRequest:
        """CREATE, or UPDATE where there is an old object, unless another operation is named.

        `sent_as`: the version in which the user sent `obj`, which is of v1beta1 by now.
        """
        verb = operation or ("CREATE" if old is None else "UPDATE")
        return AdmissionRequest(
            "u", verb, namespace, "", obj, old, "alice", (), dry_run=False, requested_version=sent_as
        )

    async def ask(
        self,
        validator: Callable[[AdmissionRequest], Coroutine[Any, Any, AdmissionResponse]],
        obj: Object | None,
        old: Object | None = None,
        *,
        namespace: str = "team-a",
        operation: str | None = None,
        sent_as: str = "v1beta1",
        meanwhile: Callable[[], None] = lambda: None,
    ) -> AdmissionResponse:
        """The answer, given within two seconds of this cluster's time; `meanwhile` happens after 50 ms of it."""
        request = self.question(obj, old, namespace=namespace, operation=operation, sent_as=sent_as)
        async with asyncio.TaskGroup() as tasks:
            answered = tasks.create_task(validator(request))
            await self.fed.clock.advance(0.05)
            meanwhile()
            await self.fed.clock.advance(2.0)
        return answered.result()


def _namespace(name: str, labels: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "uid": name, "resourceVersion": "1", "labels": dict(labels)},
    }


def _gpu_node(name: str, gpus: Sequence[Gpu]) -> Object:
    made = gpu_node(name, *gpus)
    if not gpus:
        made["status"] = {}
    return made
