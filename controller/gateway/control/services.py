"""Services as the gateway serves them: what an InferenceService says of its requests, or annotated pods do. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from api.group import MODEL_ID, POLICY, QOS_CLASS
from api.seconds import DurationError, parse_duration
from controller.gateway.configuration import Endpoint, Metric, Objective, ServiceRoute
from controller.gateway.control.objects import (
    EnginePod,
    Guarantees,
    QoS,
    RequestQueueLimits,
    Service,
    ServiceLevelObjective,
)
from controller.gateway.control.rules import Rule
from controller.qos.settings import ModelSettings, QoSSettings

_METRICS: Final[dict[str, Metric]] = {
    "requestLatency": "requestLatency",
    "timeToFirstToken": "timeToFirstToken",
    "timePerOutputToken": "timePerOutputToken",
    "queueWait": "queueWait",
}
_NO_GUARANTEES: Final = Guarantees()
_USUAL_QUEUE: Final = RequestQueueLimits()


def policy_ref_of(service: Service | None, pods: Sequence[EnginePod]) -> str | None:
    """The policy that the service, or else its pods, name."""
    if service is not None:
        return service.spec.gpu_sharing.policy_ref
    return next((pod.metadata.annotations[POLICY] for pod in pods if POLICY in pod.metadata.annotations), None)


def route_of(service: Service, rule: Rule, endpoints: Iterable[Endpoint], problems: list[str]) -> ServiceRoute:
    """The route of an InferenceService. What of it cannot be used is left out and told in `problems`."""
    metadata, spec = service.metadata, service.spec
    key = f"{metadata.namespace}/{metadata.name}"
    return ServiceRoute(
        namespace=metadata.namespace,
        name=metadata.name,
        model_ids=model_ids(metadata.name, [spec.model.id]),
        qos=_settings(key, spec.qos, rule, problems),
        endpoints=tuple(endpoints),
        objectives=tuple(found for one in spec.qos.slo if (found := _objective(key, one, problems)) is not None),
        engine_model=spec.model.id,
        shared_seats=rule.shared_seats,
    )


def _settings(key: str, qos: QoS, rule: Rule, problems: list[str]) -> ModelSettings:
    """What the dispatcher is told. A service that could not be served so is served without bounds: one that is wrong
    must not keep all others from being served as they are now."""
    guarantees, queue = qos.guarantees or _NO_GUARANTEES, qos.queue or _USUAL_QUEUE
    name = _class(key, rule, qos.class_, problems)
    asked = ModelSettings(
        model=key,
        qos_class=name,
        minimum=guarantees.min_concurrency or 0,
        maximum=guarantees.max_concurrency,
        max_rate=guarantees.max_rate,
        queue_length=queue.max_length,
        queue_timeout=_seconds(key, "spec.qos.queue.timeout", queue.timeout, _USUAL_QUEUE.timeout, problems),
    )
    wrong = QoSSettings(classes=tuple(rule.classes.values()), models={key: asked}).validated()
    problems.extend(f"{found}; no bounds are taken" for found in wrong)
    return ModelSettings(model=key, qos_class=name) if wrong else asked


def annotated_route(
    namespace: str, name: str, pods: Sequence[EnginePod], rule: Rule, endpoints: Iterable[Endpoint], problems: list[str]
) -> ServiceRoute:
    """The route of annotated pods that no InferenceService of ours made: model and class by their annotations."""
    key = f"{namespace}/{name}"
    said = {pod.metadata.annotations[QOS_CLASS] for pod in pods if pod.metadata.annotations.get(QOS_CLASS)}
    classes = sorted(said, key=lambda name: (-(rule.class_named(name) or rule.last_class).rank, name))
    if len(classes) > 1:
        problems.append(f"{key}: its pods name the classes {', '.join(classes)}: name one; {classes[0]} is taken")
    ids = sorted({pod.metadata.annotations.get(MODEL_ID, "") for pod in pods})
    return ServiceRoute(
        namespace=namespace,
        name=name,
        model_ids=model_ids(name, ids),
        engine_model=ids[0] or None if len(ids) == 1 else None,
        qos=ModelSettings(model=key, qos_class=_class(key, rule, classes[0] if classes else None, problems)),
        endpoints=tuple(endpoints),
        shared_seats=rule.shared_seats,
    )


def model_ids(name: str, ids: Iterable[str]) -> tuple[str, ...]:
    """The names that a request's model may have: the service's, and its model's."""
    return tuple(dict.fromkeys([name, *(found for found in ids if found)]))


def _class(key: str, rule: Rule, name: str | None, problems: list[str]) -> str:
    """The class's name among all classes; one that is not there is the last class: never better than was allowed."""
    found = rule.class_named(name)
    if found is not None:
        return found.name
    problems.append(f"{key}: class {name!r} is none of {', '.join(rule.classes)}: {rule.last_class.name} is taken")
    return rule.last_class.name


def _seconds(key: str, field: str, text: str, usual: str, problems: list[str]) -> float:
    try:
        return parse_duration(text)
    except DurationError as error:
        problems.append(f"{key}: {field}: {error}; {usual} is taken")
        return parse_duration(usual)


def _objective(key: str, one: ServiceLevelObjective, problems: list[str]) -> Objective | None:
    try:
        return Objective(
            metric=_METRICS[one.metric],
            percentile=float(one.percentile.removeprefix("p")),
            threshold_seconds=parse_duration(one.threshold),
            objective_fraction=float(one.objective) / 100,
        )
    except (KeyError, ValueError) as error:
        problems.append(f"{key}: spec.qos.slo {one.metric} {one.percentile} {one.threshold}: not watched ({error})")
        return None
