"""Restarting AMD's plugins after a mode change, and keeping AMD's metrics exporter away during it.

The exporter is held off by the label `aim.amd.com/metrics-exporter: paused` on the Node: an admission policy of ours
(`aim-gpu-exporter-pause`) lets no exporter pod be made for a node that carries it, and what runs there is deleted.
The label is the whole state: it survives any crash, everybody can see it, and it goes with the Node. A taint would
keep AMD's plugins away, too, which tolerate none of ours; editing the DaemonSet would restart the exporter everywhere
and be undone at once by whoever owns it (AMD's gpu-operator writes the whole spec), and needs the right to change any
DaemonSet of the cluster.
"""

from collections.abc import Sequence
from datetime import datetime

from controller.reconcilers.node_plugins.plugin_pods import PluginPod, pods_on
from controller.reconcilers.node_plugins.signatures import Role
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster
from controller.translate.node_labels import METRICS_EXPORTER_LABEL, PAUSED

#: Within this time every API server knows of a Node's new label, seconds; a pod let in before that is found by then.
SETTLE_SECONDS = 1.5


class NodePlugins:
    """AMD's pods on nodes whose modes change. Every call may be repeated, also by another process after a crash."""

    def __init__(self, client: Client, cluster: Cluster, clock: Clock) -> None:
        self._client = client
        self._cluster = cluster
        self._clock = clock
        self._exporter_seen: dict[str, float] = {}
        self._awaited: dict[str, dict[str, str]] = {}

    async def pause(self, node: str) -> str | None:
        """Stop AMD's metrics exporter on the node and keep it away until `resume`.

        Answers a sentence while it runs or may still come back, None once it is gone or there is none.
        """
        if not await self._label(node, PAUSED):
            return None
        pods = await pods_on(self._client, node, Role.METRICS_EXPORTER)
        if pods:
            self._exporter_seen[node] = self._clock.monotonic()
            return await self._end(pods, "has its GPUs open")
        seen = self._exporter_seen.get(node)
        if seen is not None and self._clock.monotonic() - seen < SETTLE_SECONDS:
            return f"waits until the metrics exporter of node {node} is sure not to come back"
        return None

    async def resume(self, node: str) -> None:
        """Let the exporter come back. Its DaemonSet tries again by itself, within as long as it was kept away."""
        self._exporter_seen.pop(node, None)
        await self._label(node, None)

    async def restart(self, node: str, since: datetime) -> str | None:
        """Restart the device plugin and the DRA plugin of the node, as far as they were made until `since`.

        Answers a sentence while the new ones are not Ready, None once they are or there are none. A pod that nothing
        would bring back is left alone, and the sentence says so.
        """
        pods = await pods_on(self._client, node, Role.DEVICE_PLUGIN, Role.DRA_PLUGIN)
        old = [pod for pod in pods if pod.created <= since]  # to the second, so one of that very second is old, too
        if old:
            self._await(node, old)
            return await self._end(old, "knows the devices of before")
        slow = next((pod for pod in pods if pod.ending or not pod.ready), None)
        if slow is not None:
            return f"{slow} on node {node} is not Ready yet"
        return self._missing(node, pods)

    async def _label(self, node: str, value: str | None) -> bool:
        """Write the label unless it is there; False when there is no such Node."""
        host = self._cluster.host_table.get(node)
        if host is None:
            return False
        if host.labels.get(METRICS_EXPORTER_LABEL) == value:
            return True
        patch = {"metadata": {"uid": host.uid, "labels": {METRICS_EXPORTER_LABEL: value}}}
        try:
            await self._client.merge_patch(NODES, node, patch)
        except (NotFound, Conflict):
            return False  # gone, or another machine of the same name, which has neither label nor exporter yet
        return True

    async def _end(self, pods: Sequence[PluginPod], why: str) -> str:
        """Delete the pods that something brings back, and say what is waited for."""
        for pod in pods:
            if pod.controller and not pod.ending:
                await self._delete(pod)
        bare = next((pod for pod in pods if not pod.controller), None)
        if bare is not None:
            return f"{bare} {why}, and nothing would bring it back: delete it by hand, then start it again by hand"
        return f"waits for the end of {', '.join(map(str, pods))}, which {why}"

    async def _delete(self, pod: PluginPod) -> None:
        try:
            await self._client.delete(PODS, pod.name, pod.namespace, uid=pod.uid)
        except (NotFound, Conflict):
            return  # somebody else did; a pod of the same name is another one

    def _await(self, node: str, old: Sequence[PluginPod]) -> None:
        awaited = self._awaited.setdefault(node, {})
        awaited.update({pod.controller: str(pod) for pod in old if pod.controller})

    def _missing(self, node: str, pods: Sequence[PluginPod]) -> str | None:
        """Which restarted pod has no successor yet. Known only to who deleted it: after a crash the advertised
        devices tell, which the plan compares anyway."""
        awaited = self._awaited.get(node, {})
        for pod in pods:
            awaited.pop(pod.controller, None)
        if awaited:
            return f"waits for the successor of {', '.join(sorted(awaited.values()))} on node {node}"
        self._awaited.pop(node, None)
        return None
