"""The rules of a GPUSharingPolicy."""

from collections.abc import Iterator
from typing import Final

from api.duration import parse_duration
from api.label_selector import LabelRequirement, LabelSelector, SelectorOperator
from api.quantity import capped_quantity
from api.v1beta1.gpu_sharing_policy import (
    LONGEST_COOLDOWN,
    Defragmentation,
    GPUSharingPolicy,
    GPUSharingPolicySpec,
    Quota,
    RepartitionRules,
)
from api.validation.field_error import INVALID, FieldError

_WITH_VALUES: Final = (SelectorOperator.IN, SelectorOperator.NOT_IN)


def policy_problems(policy: GPUSharingPolicy) -> list[FieldError]:
    """Every rule that the policy breaks."""
    spec = policy.spec
    return [
        *_selector(spec.node_selector, "spec.nodeSelector"),
        *_selector(spec.namespace_selector, "spec.namespaceSelector"),
        *_repartition(spec.repartition),
        *_defragmentation(spec.defragmentation),
        *_classes(spec),
        *(found for position, quota in enumerate(spec.quotas) for found in _quota(quota, f"spec.quotas[{position}]")),
    ]


def _selector(selector: LabelSelector, path: str) -> Iterator[FieldError]:
    for position, requirement in enumerate(selector.match_expressions):
        yield from _requirement(requirement, f"{path}.matchExpressions[{position}]")


def _requirement(requirement: LabelRequirement, path: str) -> Iterator[FieldError]:
    operator, key = requirement.operator, requirement.key
    if operator in _WITH_VALUES and not requirement.values:
        yield FieldError(
            f"{path}.values", INVALID, f"operator {operator} of key {key} has no values: give some, or write Exists"
        )
    if operator not in _WITH_VALUES and requirement.values:
        yield FieldError(
            f"{path}.values",
            INVALID,
            f"operator {operator} of key {key} takes no values: leave values out, or write In or NotIn",
        )


def _repartition(repartition: RepartitionRules) -> Iterator[FieldError]:
    text = repartition.cooldown
    if parse_duration(text) > parse_duration(LONGEST_COOLDOWN):
        yield FieldError(
            "spec.repartition.cooldown",
            INVALID,
            f'"{text}" is too long a rest: write at most {LONGEST_COOLDOWN}, such as 10m; to change nothing set '
            "enabled false",
        )
    for position, window in enumerate(repartition.windows):
        if window.start == window.end:
            yield FieldError(
                f"spec.repartition.windows[{position}].end",
                INVALID,
                f"the window opens and closes at {window.end}: give another end, or no windows for any time",
            )


def _defragmentation(rules: Defragmentation) -> Iterator[FieldError]:
    for name, text in (("after", rules.after), ("rest", rules.rest)):
        if parse_duration(text) > parse_duration(LONGEST_COOLDOWN):
            yield FieldError(
                f"spec.defragmentation.{name}",
                INVALID,
                f'"{text}" is too long: write at most {LONGEST_COOLDOWN}, such as 1h; to propose nothing set enabled '
                "false",
            )


def _classes(spec: GPUSharingPolicySpec) -> Iterator[FieldError]:
    for position, qos_class in enumerate(spec.qos_classes):
        if parse_duration(qos_class.starvation_after) == 0:
            yield FieldError(
                f"spec.qosClasses[{position}].starvationAfter",
                INVALID,
                f'"{qos_class.starvation_after}" would serve every request out of order: write more than 0, such as '
                "10s",
            )


def _quota(quota: Quota, path: str) -> Iterator[FieldError]:
    if quota.min is None and quota.max is None:
        yield FieldError(path, INVALID, f"the quota of namespace {quota.namespace} says nothing: set min, max or both")
    elif quota.min is not None and quota.max is not None and capped_quantity(quota.min) > capped_quantity(quota.max):
        yield FieldError(
            f"{path}.min", INVALID, f"min {quota.min} is larger than max {quota.max}: lower min or raise max"
        )
