"""The policy and the QoS class that somebody names: there, for the namespace, offered.

Only policies that select the namespace are told of: others may be another tenant's.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.group import POLICY, QOS_CLASS
from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_sharing_policy import default_qos_classes
from controller.placement.decision import Unplaced
from controller.placement.demand import Demand
from controller.translate.request import Problem

POLICY_NOT_FOUND: Final = "PolicyNotFound"
POLICY_NOT_FOR_NAMESPACE: Final = "PolicyNotForNamespace"
CLASS_NOT_FOUND: Final = "QoSClassNotFound"
REASONS: Final = frozenset({POLICY_NOT_FOUND, POLICY_NOT_FOR_NAMESPACE, CLASS_NOT_FOUND})
"""Of refusals that no place and no mode change could help."""

SERVICE_POLICY_FIELD: Final = "spec.gpuSharing.policyRef"
SERVICE_CLASS_FIELD: Final = "spec.qos.class"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was named, None where nothing was; `labels` of the namespace, None while it is not known here yet."""

    policy: str | None
    qos_class: str | None
    namespace: str
    labels: Mapping[str, str] | None
    policy_field: str = POLICY
    class_field: str = QOS_CLASS

    def admitted_by(self, policy: GPUSharingPolicy) -> bool:
        """Whether the policy is for the namespace; a namespace not known yet is not held against it."""
        return self.labels is None or policy.spec.namespace_selector.matches(self.labels)


@dataclass(frozen=True, slots=True)
class RefusedChoice:
    """A choice that cannot be had: a CamelCase reason, and field, value and remedy."""

    reason: str
    problem: Problem


def refused_choices(choice: Choice, policies: Collection[GPUSharingPolicy]) -> Iterator[RefusedChoice]:
    """Every reason why the choice cannot be had. Of the classes of a policy that cannot be had nothing is told."""
    ours = {policy.metadata.name: policy for policy in policies if choice.admitted_by(policy)}
    if choice.policy is not None and choice.policy not in ours:
        yield _policy_refused(choice, choice.policy, sorted(ours), policies)
    elif choice.qos_class is not None:
        ruling = [ours[choice.policy]] if choice.policy is not None else [ours[name] for name in sorted(ours)]
        yield from _class_refused(choice, choice.qos_class, ruling)


def _policy_refused(
    choice: Choice, name: str, ours: Sequence[str], policies: Collection[GPUSharingPolicy]
) -> RefusedChoice:
    remedy = f"choose {' or '.join(ours)}, or leave it out" if ours else "leave it out"
    if all(policy.metadata.name != name for policy in policies):
        problem = Problem(choice.policy_field, name, f"is no GPUSharingPolicy: {remedy}")
        return RefusedChoice(POLICY_NOT_FOUND, problem)
    problem = Problem(choice.policy_field, name, f"does not select namespace {choice.namespace}: {remedy}")
    return RefusedChoice(POLICY_NOT_FOR_NAMESPACE, problem)


def _class_refused(choice: Choice, name: str, ruling: Sequence[GPUSharingPolicy]) -> Iterator[RefusedChoice]:
    """Of the policy that is named, else of those for the namespace, else of those that hold without a policy."""
    offered = [one for policy in ruling for one in policy.spec.qos_classes] if ruling else default_qos_classes()
    names = list(dict.fromkeys(one.name for one in sorted(offered, key=lambda one: one.rank)))
    if name in names:
        return
    where = " and ".join(policy.metadata.name for policy in ruling)
    remedy = f"choose one of {', '.join(names)}" if names else "leave it out"
    sentence = f"is no class of {f'policy {where}' if where else 'those that are built in'}: {remedy}"
    yield RefusedChoice(CLASS_NOT_FOUND, Problem(choice.class_field, name, sentence))


def refuse_choice(demand: Demand, labels: Mapping[str, str], policies: Collection[GPUSharingPolicy]) -> Unplaced | None:
    """Why the demand's policy or class cannot be had, None when it can. `labels` are those of its namespace."""
    fields = (SERVICE_POLICY_FIELD, SERVICE_CLASS_FIELD) if demand.of_service else (POLICY, QOS_CLASS)
    choice = Choice(demand.policy, demand.qos_class, demand.namespace, labels, *fields)
    refused = next(refused_choices(choice, policies), None)
    return None if refused is None else Unplaced(refused.reason, str(refused.problem))
