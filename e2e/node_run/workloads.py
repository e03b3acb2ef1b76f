"""Our own pods: what is applied, until they are ready, and whether one has ended since."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from e2e.chart.installed import AGENT_SIMULATE, process, the, with_image
from e2e.image.build import IMAGE
from e2e.plane import NotReady, Plane
from e2e.run.errors import NotListening, ProcessDied
from e2e.run.install import MANAGED, SYSTEM_NAMESPACE, apply_objects, kubectl

Object = dict[str, Any]

READY_LIMIT_SECONDS = 180.0
OPERATOR = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/aim-gpu-operator"

_PODS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"
_SET_OF_AGENTS = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/daemonsets"
_INSTANCE = "app.kubernetes.io/instance"


def simulated_agents(modes: Mapping[str, str], time_scale: float) -> list[Object]:
    """A DaemonSet a node, since each begins in another mode, as the chart has it otherwise; and what leads to them."""
    (template,) = with_image([the("DaemonSet", "aim-gpu-agent", AGENT_SIMULATE)], IMAGE)
    access = [one for one in process("aim-gpu-agent") if one["kind"] != "DaemonSet"]
    return [*(_agent(template, node, mode, time_scale) for node, mode in modes.items()), *access]


def operator() -> list[Object]:
    """The operator's pods, of the image that is built here, and what leads to them."""
    return list(with_image(process("aim-gpu-operator"), IMAGE))


def _agent(template: Object, node: str, mode: str, time_scale: float) -> Object:
    made = deepcopy(template)
    made["metadata"]["name"] += f"-{node}"
    pod = made["spec"]["template"]
    for labels in (made["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]):
        labels[_INSTANCE] = node
    pod["spec"]["nodeSelector"]["kubernetes.io/hostname"] = node
    (container,) = pod["spec"]["containers"]
    kept = [argument for argument in container["args"] if not argument.startswith("--node=")]
    container["args"] = [*kept, f"--node=$(NODE_NAME)={mode}", f"--time-scale={time_scale}"]
    return made


def start_operator(plane: Plane) -> None:
    """Apply the operator and return once all of it is ready. Raises NotListening with what its pods say."""
    apply_objects(plane, operator())
    _wait(plane, "the operator's pods are ready", lambda: rolled_out(plane.admin.get(OPERATOR)))


def start_agents(plane: Plane, modes: Mapping[str, str], time_scale: float) -> None:
    """Mark the nodes as ours, apply their agents and return once these are ready. Raises NotListening."""
    for node in modes:
        plane.admin.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {MANAGED: "true"}}})
    apply_objects(plane, simulated_agents(modes, time_scale))

    def ready() -> bool:
        found = plane.admin.get(_SET_OF_AGENTS)["items"]
        return len(found) == len(modes) and all(one.get("status", {}).get("numberReady") == 1 for one in found)

    _wait(plane, "the agents' pods are ready", ready)


def rolled_out(deployment: Object) -> bool:
    """Whether every pod of a Deployment is of its newest template and ready, and no other is left."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == {wanted}


def check(plane: Plane) -> None:
    """Raise ProcessDied, with the last lines of its log, when a container of ours has ended since it began."""
    for pod in plane.admin.get(_PODS)["items"]:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if container["restartCount"]:
                raise ProcessDied(
                    f"pod {pod['metadata']['name']} was restarted; its log before:\n{_log(plane, pod, '--previous')}"
                )


def _wait(plane: Plane, what: str, condition: Any) -> None:
    try:
        plane.wait_until(condition, what, READY_LIMIT_SECONDS)
    except NotReady as error:
        raise NotListening(f"{error}:\n{_told(plane)}") from error


def _told(plane: Plane) -> str:
    """The state of each of our pods, and the end of its log."""
    lines = []
    for pod in plane.admin.get(_PODS)["items"]:
        states = [container.get("state") for container in pod.get("status", {}).get("containerStatuses", ())]
        lines += [f"pod {pod['metadata']['name']}: {json.dumps(states)}", _log(plane, pod)]
    return "\n".join(lines) or "no pod of ours is there"


def _log(plane: Plane, pod: Object, *more: str) -> str:
    try:
        return kubectl(plane, "logs", "-n", SYSTEM_NAMESPACE, pod["metadata"]["name"], "--tail=20", *more)
    except Exception as error:  # noqa: BLE001 - what is told beside another error must not hide it
        return str(error)
