"""InferenceServices of KServe: what our annotations on them say wrong. Warnings only, never a refusal.

KServe's objects are not ours to refuse. What cannot be served the pods say: PodGate refuses them, or their claims wait
with a reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from api.group import ASSIGNMENT_KEYS, GPU_SHARING, POLICY, PRECISION, QOS_CLASS, REQUEST_KEYS, SERVICE_LABEL
from controller.placement.precision_support import obstacle_on_all
from controller.runtime.manifest import Manifest, key_of, labels_of
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow
from controller.sizing.errors import SizingError
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.annotation_keys import misspelt
from controller.translate.known_checkpoint import loading_assumed
from controller.translate.policy_choice import Choice, refused_choices
from controller.translate.request import PodRequest, Problem, parse_request
from controller.translate.sizing_fields import ANNOTATION_OF, sizing_problem
from controller.webhooks.finding import shown
from controller.webhooks.hardware import managed_nodes
from controller.webhooks.kserve_update import update_problem

PATH: Final = "/validate-kserve"
WEBHOOK: Final = "kserve.aim.amd.com"

#: Other pods that KServe makes of one service; each gets the service's annotations too.
COMPONENTS: Final = ("transformer", "explainer")


@dataclass(frozen=True, slots=True)
class Annotations:
    """Those of the service and of its predictor; on the pods the predictor's win."""

    service: Mapping[str, str]
    predictor: Mapping[str, str]

    @classmethod
    def of(cls, obj: Manifest) -> "Annotations":
        """Read them from the object."""
        predictor = (obj.get("spec") or {}).get("predictor") or {}
        return cls(_texts(obj.get("metadata")), _texts(predictor))

    @property
    def of_pods(self) -> dict[str, str]:
        """What the predictor's pods get."""
        return {**self.service, **self.predictor}

    def placed(self, problem: Problem) -> Problem:
        """The problem, its field being where the value was written."""
        if problem.field not in self.predictor:
            return problem
        return replace(problem, field=f"spec.predictor.annotations {problem.field}")


def _texts(holder: Any) -> Mapping[str, str]:
    annotations = (holder or {}).get("annotations") or {}
    return {key: value for key, value in annotations.items() if isinstance(value, str)}


def keys_known(annotations: Annotations) -> Iterator[Problem]:
    """Keys that look like ours must be."""
    yield from misspelt(annotations.of_pods)


def assignments_absent(annotations: Annotations) -> Iterator[Problem]:
    """Only the operator writes where a pod runs, and never here: pods that bring it are refused."""
    of_pods = annotations.of_pods
    for key in ASSIGNMENT_KEYS:
        if key in of_pods:
            yield Problem(
                key, of_pods[key], "is written by the operator alone, and pods that bring it are refused; remove it"
            )


def opted_in(annotations: Annotations) -> Iterator[Problem]:
    """Wishes without the opt-in do nothing."""
    of_pods = annotations.of_pods
    wishes = [key for key in REQUEST_KEYS if key in of_pods]
    if wishes and GPU_SHARING not in of_pods:
        yield Problem(wishes[0], of_pods[wishes[0]], f'does nothing without {GPU_SHARING}; add that as "true"')


def components_apart(annotations: Annotations, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """A service's opt-in reaches its other components' pods, which then wait for partitions of their own."""
    chosen = annotations.service.get(GPU_SHARING, "false")
    for component in COMPONENTS:
        own = spec.get(component)
        if chosen != "false" and own is not None and GPU_SHARING not in _texts(own):
            remedy = f"holds for the pods of the {component} too; write it under spec.predictor.annotations instead"
            yield Problem(GPU_SHARING, chosen, remedy)


class KServeValidator:
    """Answers for KServe's InferenceServices."""

    def __init__(self, cluster: Cluster, sizing: Models) -> None:
        self._cluster = cluster
        self._sizing = sizing

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Answer one admission request, with warnings at most."""
        obj = request.object
        if obj is None or request.operation not in ("CREATE", "UPDATE"):
            return allow()
        if obj.get("metadata", {}).get("deletionTimestamp") is not None:
            return allow()
        annotations = Annotations.of(obj)
        if request.old_object is not None and annotations == Annotations.of(request.old_object):
            return allow()
        problems = [*self._problems(request.namespace, annotations, obj.get("spec") or {})]
        if not problems and request.old_object is not None and SERVICE_LABEL not in labels_of(obj):
            problems += self._update(key_of(obj), annotations, obj.get("spec") or {})
        return allow(warnings=shown(problems))

    def _update(self, key: str, annotations: Annotations, spec: Mapping[str, Any]) -> Iterator[Problem]:
        """What becomes of the pods that serve; one of ours tells it by its own condition."""
        problem = update_problem(self._cluster, self._sizing, key, annotations.of_pods, spec)
        if problem is not None:
            yield annotations.placed(problem)

    def _problems(self, namespace: str, annotations: Annotations, spec: Mapping[str, Any]) -> Iterator[Problem]:
        for problem in (
            *keys_known(annotations),
            *assignments_absent(annotations),
            *opted_in(annotations),
            *self._request(namespace, annotations.of_pods),
            *components_apart(annotations, spec),
        ):
            yield annotations.placed(problem)

    def _request(self, namespace: str, annotations: Mapping[str, str]) -> Iterator[Problem]:
        if annotations.get(GPU_SHARING, "false") == "false":
            return
        parsed = parse_request(annotations)
        if isinstance(parsed, PodRequest):
            yield from self._sized(parsed)
        else:
            yield from parsed
        yield from self._chosen(namespace, annotations)

    def _sized(self, request: PodRequest) -> Iterator[Problem]:
        if not self._cluster.model_profiles.synced:
            return
        try:
            sizing = self._sizing.size(request.sizing, request.profile)
        except SizingError as error:
            yield sizing_problem(error, ANNOTATION_OF)
            return
        assumed = loading_assumed(PRECISION, request.sizing.precision.value, sizing)
        if assumed is not None:
            yield assumed
        cluster = self._cluster
        if cluster.nodes.synced and cluster.gpu_nodes.synced:
            here = {gpu.product for node in managed_nodes(cluster) for gpu in node.gpus}
            wall = obstacle_on_all(here, sizing.precision)
            if wall:
                yield Problem(PRECISION, request.sizing.precision.value, f"waits: {wall}")

    def _chosen(self, namespace: str, annotations: Mapping[str, str]) -> Iterator[Problem]:
        cluster = self._cluster
        if not (cluster.policies.synced and cluster.namespaces.synced):
            return
        labels = cluster.namespace_labels.get(namespace)
        choice = Choice(annotations.get(POLICY) or None, annotations.get(QOS_CLASS) or None, namespace, labels)
        for refused in refused_choices(choice, tuple(cluster.policy_table.values())):
            yield refused.problem
