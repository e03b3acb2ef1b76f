"""The reconciler of the ConfigMaps that annotated pods mount: made before a gate opens, kept up as models change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.group import MODEL_ID, PRECISION, PROFILES_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.profiles.selection import Service, TooLarge
from controller.reconcilers.profile_map.files import Inputs, files_for, inputs_of
from controller.reconcilers.profile_map.owners import owners
from controller.reconcilers.profile_map.writing import ProfileMapWriter, Wanted
from controller.runtime.client.client import Client
from controller.runtime.manifest import Manifest, key_of, labels_of
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.state.profile_maps import Refused
from controller.translate.pod import TERMINAL_PHASES
from controller.translate.pod_profiles import is_pods_map, served_from
from controller.translate.request import PodRequest, parse_request

#: The label's value on a ConfigMap of pods.
FOR_PODS = "pods"
#: One that was refused is written again after this many seconds: names and quotas free up without an event.
TRY_AGAIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Use:
    """The pods that mount one ConfigMap, and what they ask for: (service, ModelProfile), where one still says it."""

    pods: tuple[Pod, ...]
    service: Service | None
    profile: str | None


class ProfileMapReconciler:
    """Keeps the ConfigMap that a request names, for as long as pods mount it."""

    def __init__(self, client: Client, cluster: Cluster, sizing: Models) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._writer = ProfileMapWriter(client, cluster.written_maps)
        self._made_of: dict[str, Inputs] = {}

    async def reconcile(self, request: Request) -> Result:
        """Write it where it differs from what it should be. Without pods it is left to the garbage collector."""
        key = request.key
        if not is_pods_map(request.name):
            return Result()
        use = self._use(request)
        if not use.pods:
            self._made_of.pop(key, None)
            self._cluster.written_maps.forget(key)
            return Result()
        inputs = inputs_of(self._cluster, self._sizing, use.service, use.profile)
        if self._stands(key, inputs, use):
            return Result()
        if await self._write(request, inputs, use) is not None:
            return Result(requeue_after=TRY_AGAIN_SECONDS)
        self._made_of[key] = inputs
        return Result()

    def _stands(self, key: str, inputs: Inputs, use: Use) -> bool:
        """Whether it is as it was written, from what is known now, with its owners."""
        written = self._cluster.written_maps.standing(key)
        if written is None or self._made_of.get(key) != inputs:
            return False
        wanted = {reference["uid"] for reference in owners(use.pods, written.owners)}
        return wanted == written.owners

    async def _write(self, request: Request, inputs: Inputs, use: Use) -> Refused | None:
        try:
            files = files_for(self._sizing, inputs)
        except TooLarge as error:
            return self._writer.refuse(request.key, "ProfilesTooLarge", str(error))
        return await self._writer.write(
            Wanted(
                name=request.name,
                namespace=request.namespace,
                files=files,
                claims=self._claims(use.pods),
                metadata=lambda present: _metadata(present, use),
                ours=lambda present: labels_of(present).get(PROFILES_LABEL) == FOR_PODS,
                remedy="mount profiles of your own where AIM looks",
            )
        )

    def _use(self, request: Request) -> Use:
        found = self._cluster.pods.store.by_index("profiles", request.key)
        pods = tuple(pod for pod in found if _lives(pod))
        served = next(_served(pods, request.name), (None, None))
        return Use(pods, *served)

    def _claims(self, pods: Sequence[Pod]) -> list[GPUPartitionClaim]:
        views = (self._cluster.pod_table.view(key_of(pod)) for pod in pods)
        names = (f"{view.namespace}/{view.claim}" for view in views if view is not None and view.claim)
        claims = map(self._cluster.claim_table.get, names)
        return [claim for claim in claims if claim is not None]


def _lives(pod: Pod) -> bool:
    return pod.status.phase not in TERMINAL_PHASES and pod.metadata.deletion_timestamp is None


def _served(pods: Sequence[Pod], name: str) -> Iterator[tuple[Service, str | None]]:
    """What the pods ask for who mount it for that; one whose annotations were changed since is no word on it."""
    for pod in pods:
        request = parse_request(pod.metadata.annotations)
        service = served_from(request, name) if isinstance(request, PodRequest) else None
        if service is not None and isinstance(request, PodRequest):
            yield service, request.profile


def _metadata(present: Manifest, use: Use) -> Mapping[str, Any]:
    before = [reference["uid"] for reference in (present.get("metadata") or {}).get("ownerReferences") or ()]
    asked = {} if use.service is None else _asked(use.service)
    return {
        "labels": {PROFILES_LABEL: FOR_PODS},
        "annotations": asked,
        "ownerReferences": owners(use.pods, before),
    }


def _asked(service: Service) -> dict[str, str]:
    """For people: the name says nothing."""
    return {MODEL_ID: service.request.model_id, PRECISION: service.request.precision.value}
