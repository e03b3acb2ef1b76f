"""AIM profiles, mounted into pods when they are made: which of them is meant, binding will tell.

Pods of our InferenceServices mount their service's ConfigMap; pods that are annotated, KServe's among them, one that is
named for what they ask. Nothing is written here. The ConfigMap is there before the pod's gate opens, and is not
optional: should it be missing for a moment later, a container waits for it, where it would else start without the
profile that it is told to take, or lose the files while it runs.

AIM reads every file below its folder of custom profiles as it starts, and starts with the one that AIM_PROFILE_ID
names; an empty one leaves the choice to AIM, which takes none of ours by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from api.group import PROFILE_ID, SERVICE_LABEL
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.pod_profiles import VOLUME, pods_map, serves
from controller.translate.request import PodRequest
from controller.translate.served import MODEL_VARIABLE, profiles_name, served

VARIABLE: Final = "AIM_PROFILE_ID"

Json = Mapping[str, Any]
Patch = list[dict[str, Any]]


class ProfileMount:
    """Adds volume, mount and variable to pods; the label of those of our InferenceServices names the service."""

    def __init__(self, cluster: Cluster, sizing: Models) -> None:
        self._cluster = cluster
        self._sizing = sizing

    def patch(self, pod: Json, namespace: str, index: int, request: PodRequest) -> Patch:
        """The JSON patch for container `index`, which has an environment by then."""
        names_model = _sets(pod["spec"]["containers"][index], MODEL_VARIABLE)
        name = (pod["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        if not name:
            path = self._sizing.mount_path(serves(request, names_model=names_model))
            return mounted(pod, index, pods_map(request, names_model=names_model), path)
        service = self._cluster.service_table.get(f"{namespace}/{name}")
        what = served(request.sizing, service)
        if service is None:  # made a moment ago: what the pod itself says is what its service says
            what = replace(what, names_model=names_model)
        return mounted(pod, index, profiles_name(name), self._sizing.mount_path(what))


def mounted(pod: Json, index: int, config_map: str, mount_path: str) -> Patch:
    """The JSON patch; empty where something is mounted there already, by us or somebody else, or our name is taken."""
    spec, container = pod["spec"], pod["spec"]["containers"][index]
    volumes, mounts = spec.get("volumes") or [], container.get("volumeMounts") or []
    taken = {str(mount.get("mountPath", "")).rstrip("/") for mount in mounts}
    if mount_path in taken or any(volume.get("name") == VOLUME for volume in volumes):
        return []
    volume = {"name": VOLUME, "configMap": {"name": config_map}}
    mount = {"name": VOLUME, "mountPath": mount_path, "readOnly": True}
    patch = [
        *_append("/spec/volumes", volumes, volume),
        *_append(f"/spec/containers/{index}/volumeMounts", mounts, mount),
    ]
    if not _sets(container, VARIABLE):
        source = {"fieldRef": {"fieldPath": f"metadata.annotations['{PROFILE_ID}']"}}
        value = {"name": VARIABLE, "valueFrom": source}
        patch.append({"op": "add", "path": f"/spec/containers/{index}/env/-", "value": value})
    return patch


def _sets(container: Json, variable: str) -> bool:
    return any(each.get("name") == variable for each in container.get("env") or ())


def _append(path: str, present: list[Any], item: dict[str, Any]) -> Patch:
    return [{"op": "add", "path": f"{path}/-" if present else path, "value": item if present else [item]}]
