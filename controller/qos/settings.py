"""What the dispatcher is told: classes of requests, what each model is guaranteed and held to, and where its pods are.

Values, compared by equality and never changed: a reload hands in another one. Times are in seconds, rates in requests a
second, seats are requests in flight at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

# Prompt and output tokens are counted as the work they are: generating one costs about two of reading one
# (S. Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024, who weigh them 1 : 2).
OUTPUT_WEIGHT: Final = 2.0


@dataclass(frozen=True, slots=True)
class QoSClass:
    """A class of requests. `rank`: lower is served first. `weight`: share among classes of one rank.

    `starvation_after`: seconds after which a request that waits may be served before better classes; infinity: never.
    """

    name: str
    rank: int
    weight: int = 1
    starvation_after: float = 60.0


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What one service is guaranteed and held to, over all its pods.

    `model`: its key, "namespace/name". `qos_class`: what requests get that ask for no other one.

    `minimum`: seats that it gets before anybody gets one that is not guaranteed; 0: none. `headroom`: how many of the
    minimum's seats are kept idle for it while it does not use them, so that its next request waits for nobody; 0: all
    are lent, and come back as soon as any request at the partition ends. `maximum`: seats that it never exceeds; None:
    as many as there are. `max_rate`: requests a second, above which they are refused, evenly among the tenants that
    ask; None: any.

    `queue_length`: requests that may wait at once; 0: none waits. `queue_timeout`: seconds that a request may wait.
    `weight`: its share among the models of a class at one partition. `output_tokens`: what a request is expected to
    generate until some were seen. `held`: where no pod is Ready its requests wait for one instead of being refused.
    """

    model: str
    qos_class: str
    minimum: int = 0
    maximum: int | None = None
    max_rate: float | None = None
    queue_length: int = 1000
    queue_timeout: float = 60.0
    headroom: int = 0
    weight: int = 1
    output_tokens: int = 256
    held: bool = False


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What one tenant may do, at all models together. A tenant without settings has weight 1 and no bound.

    `weight`: its share of a model's seats among the tenants that wait for them. `max_rate`: requests a second;
    None: any.
    """

    weight: int = 1
    max_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A pod at a partition. `endpoint`: its uid. `seats`: requests that its engine takes at once, and so a bound of the
    model there. `ready` False: it gets no new request, and keeps those it has."""

    endpoint: str
    model: str
    seats: int
    ready: bool = True


@dataclass(frozen=True, slots=True)
class PartitionSettings:
    """A partition and the pods that run there. `seats`: bound on requests in flight there; None: what its members have
    together."""

    partition: str
    members: tuple[Member, ...] = ()
    seats: int | None = None


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How the number of seats in use at a partition follows the time to the first token.

    It is lowered when that time, compared with what prompts of this size usually need, is above `tolerance` times the
    usual, and raised again up to the partition's seats; `smoothing` (above 0, up to 1) is how much of a step is made
    at once. `overload_factor`: what is left of it when an engine refuses or times out. `adaptive` False: always all
    seats.
    """

    adaptive: bool = True
    tolerance: float = 1.5
    smoothing: float = 0.2
    overload_factor: float = 0.9


@dataclass(frozen=True, slots=True)
class QoSSettings:
    """Everything that the dispatcher is told.

    `models` by their key, `partitions` by their id, `tenants` by their name. `starvation_every`: of so many dispatches
    at a partition at most one serves a starving request out of turn. `output_weight`: cost of a token that is
    generated, where one of the prompt costs 1.
    """

    classes: tuple[QoSClass, ...]
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    partitions: Mapping[str, PartitionSettings] = field(default_factory=dict)
    tenants: Mapping[str, TenantSettings] = field(default_factory=dict)
    starvation_every: int = 16
    output_weight: float = OUTPUT_WEIGHT
    limit: LimitSettings = LimitSettings()

    def validated(self) -> list[str]:
        """What is wrong with it, a sentence each that names the field, the value and the remedy; empty: nothing."""
        found = [*_wrong_classes(self), *_wrong_numbers(self)]
        names = {one.name for one in self.classes}
        for key, model in self.models.items():
            found += _wrong_model(key, model, names)
        for tenant, allowed in self.tenants.items():
            found += _wrong_tenant(tenant, allowed)
        found += _wrong_partitions(self)
        return found


def _wrong_classes(settings: QoSSettings) -> Iterator[str]:
    if not settings.classes:
        yield "classes is empty: give at least one"
    seen: set[str] = set()
    for one in settings.classes:
        if one.name in seen:
            yield f"classes: {one.name!r} is there twice: remove one of the two"
        seen.add(one.name)
        if one.weight < 1:
            yield f"classes[{one.name}].weight {one.weight}: give 1 or more"
        if not one.starvation_after > 0:
            yield f"classes[{one.name}].starvation_after {one.starvation_after}: give more than 0 seconds"


def _wrong_numbers(settings: QoSSettings) -> Iterator[str]:
    if settings.starvation_every < 2:
        yield f"starvation_every {settings.starvation_every}: give 2 or more, or starving requests are all there is"
    if not (settings.output_weight >= 0 and isfinite(settings.output_weight)):
        yield f"output_weight {settings.output_weight}: give 0 or more"
    limit = settings.limit
    if not limit.tolerance >= 1:
        yield f"limit.tolerance {limit.tolerance}: give 1 or more"
    if not 0 < limit.smoothing <= 1:
        yield f"limit.smoothing {limit.smoothing}: give one above 0 and up to 1"
    if not 0 < limit.overload_factor < 1:
        yield f"limit.overload_factor {limit.overload_factor}: give one between 0 and 1"


def _wrong_model(key: str, model: ModelSettings, classes: set[str]) -> Iterator[str]:
    at = f"models[{key}]"
    if model.model != key:
        yield f"{at}.model {model.model!r}: give {key!r}, the key it stands under"
    if model.qos_class not in classes:
        yield f"{at}.qos_class {model.qos_class!r}: give one of {', '.join(sorted(classes))}"
    if not 0 <= model.headroom <= max(0, model.minimum):
        yield f"{at}.headroom {model.headroom}: give 0 to the minimum, {model.minimum}"
    if model.maximum is not None and model.maximum < max(1, model.minimum):
        yield f"{at}.maximum {model.maximum}: give at least 1 and the minimum, {model.minimum}"
    if not _is_rate(model.max_rate):
        yield f"{at}.max_rate {model.max_rate}: give more than 0 requests a second, or none"
    if not model.queue_timeout > 0:
        yield f"{at}.queue_timeout {model.queue_timeout}: give more than 0 seconds; to let none wait, queue_length 0"
    for name, least in (("minimum", 0), ("queue_length", 0), ("output_tokens", 0), ("weight", 1)):
        value = getattr(model, name)
        if value < least:
            yield f"{at}.{name} {value}: give {least} or more"


def _wrong_tenant(name: str, tenant: TenantSettings) -> Iterator[str]:
    if tenant.weight < 1:
        yield f"tenants[{name}].weight {tenant.weight}: give 1 or more"
    if not _is_rate(tenant.max_rate):
        yield f"tenants[{name}].max_rate {tenant.max_rate}: give more than 0 requests a second, or none"


def _is_rate(rate: float | None) -> bool:
    return rate is None or (rate > 0 and isfinite(rate))


def _wrong_partitions(settings: QoSSettings) -> Iterator[str]:
    at: dict[str, str] = {}
    for key, partition in settings.partitions.items():
        if partition.partition != key:
            yield f"partitions[{key}].partition {partition.partition!r}: give {key!r}, the key it stands under"
        if partition.seats is not None and partition.seats < 1:
            yield f"partitions[{key}].seats {partition.seats}: give 1 or more, or none"
        for member in partition.members:
            if member.endpoint in at:
                yield f"partitions[{key}]: {member.endpoint!r} is also at {at[member.endpoint]}: keep one of the two"
            at[member.endpoint] = key
            if member.model not in settings.models:
                yield f"partitions[{key}]: {member.endpoint!r} serves {member.model!r}, which has no settings: add them"
            if member.seats < 1:
                yield f"partitions[{key}]: {member.endpoint!r} has {member.seats} seats: give 1 or more"
