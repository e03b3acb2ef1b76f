"""What the objects of some files ask for: workloads with the pods they would make, policies, namespaces. No I/O.

An InferenceService becomes the Deployment that the operator would make of it, and every pod passes the same checks as
at admission, so that a plan cannot read an object otherwise than the cluster does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from api.group import GPU_SHARING, GROUP
from api.v1beta1 import GPUSharingPolicy, InferenceService, ModelProfile
from controller.cli.documents import BadInput, Document
from controller.cli.object_metadata import check_metadata
from controller.cli.pod_template import as_stored
from controller.cli.priorities import PriorityClass, class_in, with_priorities
from controller.cli.strictness import check_fields, check_quantities, check_rules
from controller.cli.workload import Workload
from controller.reconcilers.inference_service.backend import CONTAINER, EXTENSIONS, deployment_for
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.metadata import ObjectMeta
from controller.runtime.objects.pod import Pod, PodSpec
from controller.state.kinds import KSERVE_SERVICES
from controller.translate.pod import constraints, pod_view
from controller.translate.pod_rules import pod_rules
from controller.webhooks.pod_gate import PodGate

Json = Mapping[str, Any]
M = TypeVar("M", InferenceService, GPUSharingPolicy, ModelProfile)

MOST_PODS: Final = 20_000
"""Pods of all files together that are planned for: a plan of 2,000 takes some 4 s of processor time."""

_NOT_CREATED = {"uid": "none", "resourceVersion": "none", "creationTimestamp": "1970-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything of the files that bears on a placement. `notes` say what was left out and why."""

    workloads: tuple[Workload, ...]
    policies: tuple[GPUSharingPolicy, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]
    profiles: tuple[ModelProfile, ...] = ()
    classes: Mapping[str, PriorityClass] = field(default_factory=dict)


def gather(documents: Iterable[Document]) -> Wanted:
    """Sort the documents by what they are. Raises BadInput for one that the API server or the webhook would refuse."""
    workloads: list[Workload] = []
    policies: list[GPUSharingPolicy] = []
    profiles: list[ModelProfile] = []
    classes: dict[str, PriorityClass] = {}
    labels: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    seen: set[tuple[str, str]] = set()
    for document in documents:
        if (document.group, document.kind) in _PLANNED:
            check_metadata(document)
        _once(document, seen)
        if document.kind == "Namespace" and not document.group:
            labels[document.name] = document.obj["metadata"].get("labels") or {}
        elif (document.group, document.kind) == ("scheduling.k8s.io", "PriorityClass"):
            classes[document.name] = class_in(document)
        elif (document.group, document.kind) == (GROUP, "GPUSharingPolicy"):
            policies.append(_validated(document, GPUSharingPolicy))
        elif (document.group, document.kind) == (GROUP, "ModelProfile"):
            profiles.append(_validated(document, ModelProfile))
        elif (read := _READERS.get((document.group, document.kind))) is not None:
            found = _guarded(document, read)
            notes += [found] if isinstance(found, str) else []
            workloads += [found] if isinstance(found, Workload) else []
            _countable(document, workloads)
        else:
            notes.append(f"{document.file}: {document.kind} {document.name} is not planned for: skipped")
    names = {*labels, *(workload.namespace for workload in workloads)}
    namespaces = {name: labels.get(name, {}) | {"kubernetes.io/metadata.name": name} for name in names}
    return Wanted(
        with_priorities(workloads, classes), tuple(policies), namespaces, tuple(notes), tuple(profiles), classes
    )


def _countable(document: Document, workloads: list[Workload]) -> None:
    pods = sum(workload.replicas for workload in workloads)
    if pods > MOST_PODS:
        problem = f"of all files together are more than a plan is made for ({MOST_PODS})"
        field = f"{document.kind} {document.name}: pods"
        raise BadInput(document.file, field, pods, problem, "ask for fewer replicas, or plan in parts")


def _once(document: Document, seen: set[tuple[str, str]]) -> None:
    identity = (f"{document.group}/{document.kind}", f"{document.namespace}/{document.name}")
    if identity in seen:
        raise BadInput(
            document.file, "metadata.name", document.name, f"is given twice as {document.kind}", "keep one of the two"
        )
    seen.add(identity)


def _validated(document: Document, model: type[M]) -> M:
    try:
        read = model.model_validate(document.obj)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        value = "" if first["type"] == "missing" else first["input"]
        raise BadInput(
            document.file,
            f"{document.kind} {document.name}: {path}",
            value,
            f"is refused ({first['msg']})",
            f"see `kubectl explain {document.kind.lower()}.{path}`",
        ) from error
    check_fields(document, read)
    check_rules(document, read)
    return read


def _guarded(document: Document, read: "Reader") -> Workload | str:
    """Read a kind that only the API server has a schema for."""
    try:
        return read(document)
    except BadInput:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        problem = f"is not as Kubernetes has it ({type(error).__name__}: {error})"
        raise BadInput(
            document.file, f"{document.kind} {document.name}: spec", "", problem, "try kubectl apply --dry-run=server"
        ) from error


def _service(document: Document) -> Workload:
    service = _validated(document, InferenceService)
    named = service.model_copy(
        update={"metadata": service.metadata.model_copy(update={"namespace": document.namespace})}
    )
    template = deployment_for(named)["spec"]["template"]
    check_quantities(document, template["spec"], "spec.predictor")
    return _workload(document, template, named.spec.replicas, named)


def _templated(replicas: str) -> "Reader":
    def read(document: Document) -> Workload | str:
        spec = document.obj["spec"]
        asked = spec.get(replicas, 1)
        if not isinstance(asked, int) or asked < 0:
            raise BadInput(
                document.file,
                f"{document.kind} {document.name}: spec.{replicas}",
                asked,
                "is no count",
                "write 0 or more",
            )
        return _opted_in(document, spec["template"], asked, "spec.template.spec")

    return read


def _kserve(document: Document) -> Workload | str:
    """A service of KServe's. Of a serving runtime only KServe knows the pod: one container is taken for it."""
    predictor = document.obj["spec"]["predictor"]
    annotations = (document.obj["metadata"].get("annotations") or {}) | (predictor.get("annotations") or {})
    model = {"name": CONTAINER, "resources": (predictor.get("model") or {}).get("resources") or {}}
    spec = {"containers": [model]} | {key: value for key, value in predictor.items() if key not in EXTENSIONS}
    template = {"metadata": {"annotations": annotations}, "spec": spec}
    found = _opted_in(document, template, predictor.get("minReplicas", 1), "spec.predictor")
    return replace(found, predictor=predictor) if isinstance(found, Workload) else found


def _pod(document: Document) -> Workload | str:
    return _opted_in(document, document.obj, 1, "spec")


def _opted_in(document: Document, template: Json, replicas: int, path: str) -> Workload | str:
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if annotations.get(GPU_SHARING, "false") == "false":
        return f"{document.file}: {document.kind} {document.name} does not opt in ({GPU_SHARING}): skipped"
    check_quantities(document, template["spec"], path)
    return _workload(document, template, replicas, None)


def _workload(document: Document, template: Json, replicas: int, service: InferenceService | None) -> Workload:
    metadata = {**_NOT_CREATED, "namespace": document.namespace, "name": document.name}
    given = template.get("metadata") or {}
    metadata |= {name: given[name] for name in ("labels", "annotations") if given.get(name)}
    spec = as_stored(template["spec"])
    decoded = typed(spec, PodSpec)  # first: it names what does not fit better than the gate would
    outcome = PodGate(lambda: "offline").mutate({"metadata": metadata, "spec": spec})
    if isinstance(outcome, tuple):
        worst = outcome[0]
        raise BadInput(
            document.file, f"{document.kind} {document.name}: {worst.field}", worst.value, "is refused", worst.remedy
        )
    pod = Pod(metadata=typed(metadata, ObjectMeta), spec=decoded)
    return Workload(
        kind=document.kind,
        namespace=document.namespace,
        name=document.name,
        replicas=replicas,
        pod=pod_view(pod),
        constraints=constraints(decoded),
        rules=pod_rules(pod),
        service=service,
        annotations=document.obj["metadata"].get("annotations") or {},
        priority_class=decoded.priority_class_name,
    )


Reader = Callable[[Document], Workload | str]

_READERS: Mapping[tuple[str, str], Reader] = {
    (GROUP, "InferenceService"): _service,
    (KSERVE_SERVICES.group, KSERVE_SERVICES.kind): _kserve,
    ("apps", "Deployment"): _templated("replicas"),
    ("apps", "ReplicaSet"): _templated("replicas"),
    ("apps", "StatefulSet"): _templated("replicas"),
    ("batch", "Job"): _templated("parallelism"),
    ("", "Pod"): _pod,
}

#: Whatever is read; others have names of other forms, as RBAC's `system:node`.
_PLANNED = {
    ("", "Namespace"),
    ("scheduling.k8s.io", "PriorityClass"),
    (GROUP, "GPUSharingPolicy"),
    (GROUP, "ModelProfile"),
    *_READERS,
}
