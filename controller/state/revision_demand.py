"""What a pod of a template would ask for, before there is one: for deciding whether its revision finds a place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from api.group import POLICY, QOS_CLASS
from controller.placement.decision import Unplaced
from controller.placement.demand import Demand, PodConstraints, Requirement
from controller.placement.peers import PodRules
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import PodSpec
from controller.sizing.errors import SizingError
from controller.state.models import Models
from controller.translate.pod import constraints
from controller.translate.pod_rules import rules_of
from controller.translate.request import parse_request
from controller.translate.sizing_fields import ANNOTATION_OF, FIELD_OF, sizing_problem


@dataclass(frozen=True, slots=True)
class Template:
    """The template of a service's pods: of which service (`namespace/name`), its annotations and its pod spec.

    `count` partitions are wanted, each of `least_bytes` at least. `of_service`: it is an InferenceService of ours, so
    that messages name its fields; `qos_class` is what that says. `labels` of the pods, None: nobody told, and what they
    require of other pods is not judged.
    """

    key: str
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    count: int = 1
    least_bytes: int = 0
    of_service: bool = False
    qos_class: str | None = None
    labels: Mapping[str, str] | None = None


def demand_of(template: Template, sizing: Models) -> Demand | Unplaced:
    """What each pod of the template will ask for; why that cannot be said."""
    request = parse_request(template.annotations)
    if isinstance(request, tuple):
        return Unplaced("InvalidRequest", "; ".join(map(str, request)))
    try:
        sized = sizing.size(replace(request.sizing, tensor_parallel=template.count), request.profile)
    except SizingError as error:
        named = FIELD_OF if template.of_service else ANNOTATION_OF
        return Unplaced(type(error).__name__, str(sizing_problem(error, named)))
    pod, rules = _constraints(template)
    needed = max(sized.total_bytes, template.least_bytes)
    return Demand(
        key=f"the next revision of {template.key}",
        uid="",
        namespace=template.key.partition("/")[0],
        requirement=Requirement(needed, template.count, request.modes, sized.precision),
        pod=pod,
        rules=rules,
        policy=template.annotations.get(POLICY) or None,
        qos_class=template.qos_class or template.annotations.get(QOS_CLASS) or None,
        of_service=template.of_service,
        service=template.key,
    )


def _constraints(template: Template) -> tuple[PodConstraints, PodRules | None]:
    """What the node must have, and the pods there. A spec that cannot be read is the API server's to refuse."""
    labels, namespace = template.labels, template.key.partition("/")[0]
    try:
        spec = typed(template.spec, PodSpec)
        return constraints(spec), rules_of(spec, namespace, labels) if labels is not None else None
    except ValueError:
        return PodConstraints(), None
