"""GPUSharingPolicies as placement sees them: one view a node."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from api.duration import parse_duration
from api.quantity import parse_quantity
from api.v1beta1.gpu_sharing_policy import Divide, GPUSharingPolicy, Rollout, WhenFull
from controller.gpu.mode import Mode
from controller.placement.quota import Quota
from controller.placement.snapshot import PolicyView
from controller.repartition.windows import Openness, Window, open_at

Labels = Mapping[str, str]


def policy_for(node_labels: Labels, policies: Iterable[GPUSharingPolicy]) -> GPUSharingPolicy | None:
    """The policy that rules a node: of several, the older one; of one age, the first by name."""
    matching = [policy for policy in policies if _selects(policy, node_labels)]
    return min(matching, key=age, default=None)


def _selects(policy: GPUSharingPolicy, node_labels: Labels) -> bool:
    selector = policy.spec.node_selector
    return selector.matches(node_labels)


def age(policy: GPUSharingPolicy) -> tuple[str, str]:
    """By it policies are ordered where several could rule: the oldest first, of one age by name."""
    created = policy.metadata.creation_timestamp
    return (created.isoformat() if created else "", policy.metadata.name or "")


def policy_view(
    policy: GPUSharingPolicy, namespaces: Mapping[str, Labels], last_change: datetime | None, now: datetime
) -> PolicyView:
    """What the policy says for one node, given the namespaces' labels and the node's last mode change."""
    spec = policy.spec
    selector = spec.namespace_selector
    everyone = not selector.match_labels and not selector.match_expressions
    admitted = None if everyone else frozenset(name for name, labels in namespaces.items() if selector.matches(labels))
    left, until = 0.0, ""
    if last_change is not None:
        end = last_change + timedelta(seconds=parse_duration(spec.repartition.cooldown))
        left = max(0.0, (end - now).total_seconds())
        until = _minute_after(end) if left else ""
    openness = _openness(windows(policy), now.replace(second=0, microsecond=0))
    return PolicyView(
        name=policy.metadata.name or "",
        modes=frozenset(Mode.parse(mode) for mode in spec.allowed_modes),
        validated_only=spec.validated_only,
        namespaces=admitted,
        repartition=spec.repartition.enabled,
        approval="Auto" if spec.repartition.approval == "Auto" else "Manual",
        max_parallel_nodes=spec.repartition.max_parallel_nodes,
        max_unavailable_pods=spec.repartition.max_unavailable_pods,
        cooldown_left=left,
        rests_until=until,
        in_window=openness.is_open,
        window_opens=openness.sentence,
        ignore_device_config_manager=spec.repartition.ignore_device_config_manager,
        paused=spec.paused,
        handover=spec.rollout is Rollout.HANDOVER,
        releases=spec.when_full is WhenFull.RELEASE_FOR_AUTOSCALER,
        quotas=quotas(policy),
        scorer=str(spec.scorer),
        divides=spec.repartition.divide is Divide.FIRST,
    )


def _minute_after(moment: datetime) -> str:
    """The first whole minute that is not before the moment, as RFC 3339 has it: what is told is over then."""
    minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return f"{minute if minute == moment else minute + timedelta(minutes=1):%Y-%m-%dT%H:%MZ}"


def quotas(policy: GPUSharingPolicy) -> dict[str, Quota]:
    """The GPU memory of namespaces, by their names."""
    return {
        quota.namespace: Quota(
            least=parse_quantity(quota.min) if quota.min is not None else 0,
            most=parse_quantity(quota.max) if quota.max is not None else None,
        )
        for quota in policy.spec.quotas
    }


def windows(policy: GPUSharingPolicy) -> tuple[Window, ...]:
    """When the policy lets changes begin; empty: at any time."""
    return tuple(
        Window(
            start=time.fromisoformat(window.start),
            end=time.fromisoformat(window.end),
            days=frozenset(day.value for day in window.days),
            timezone=window.timezone,
        )
        for window in policy.spec.repartition.windows
    )


@lru_cache(maxsize=128)
def _openness(found: tuple[Window, ...], minute: datetime) -> Openness:
    """Asked for each node of a snapshot; windows open and close on whole minutes."""
    return open_at(found, minute)
