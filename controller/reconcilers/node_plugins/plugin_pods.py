"""The pods of AMD's that are on one node now, as the API server has them."""

from dataclasses import dataclass
from datetime import datetime

from controller.reconcilers.node_plugins.signatures import PodTraits, Role, repository_and_tag, role_of
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.manifest import Manifest, labels_of, owner_references_of
from controller.translate.pod import TERMINAL_PHASES


@dataclass(frozen=True, slots=True)
class PluginPod:
    """A pod of AMD's. `controller` is the uid of what would bring it back, "" when nothing would."""

    role: Role
    namespace: str
    name: str
    uid: str
    controller: str
    created: datetime
    ready: bool
    ending: bool

    def __str__(self) -> str:
        return f"{self.role} {self.namespace}/{self.name}"


async def pods_on(client: Client, node: str, *roles: Role) -> list[PluginPod]:
    """Live pods of these roles on the node, by namespace and name; asked of the API server, as the cache may lag."""
    listed = await client.list(PODS, field_selector=f"spec.nodeName={node}")
    found = [pod for pod in map(plugin_pod, listed.items) if pod is not None and pod.role in roles]
    return sorted(found, key=lambda pod: (pod.namespace, pod.name))


def plugin_pod(pod: Manifest) -> PluginPod | None:
    """The pod as one of AMD's; None when it is none, or has ended."""
    role = role_of(_traits(pod))
    status = pod.get("status") or {}
    if role is None or status.get("phase") in TERMINAL_PHASES:
        return None
    metadata = pod["metadata"]
    return PluginPod(
        role=role,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        controller=next((owner.uid for owner in owner_references_of(pod) if owner.controller), ""),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ()),
        ending=metadata.get("deletionTimestamp") is not None,
    )


def _traits(pod: Manifest) -> PodTraits:
    spec = pod["spec"]
    return PodTraits(
        labels=labels_of(pod),
        service_account=spec.get("serviceAccountName") or "",
        images=[repository_and_tag(container.get("image") or "") for container in spec.get("containers") or ()],
    )
