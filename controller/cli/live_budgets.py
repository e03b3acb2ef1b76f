"""Which pods of a real cluster may be evicted now: PodDisruptionBudgets, read once, and what policies let be down.

The operator learns of a disruption budget by asking for the eviction; this says what it would hear, by the rules of the
API server (pkg/registry/core/pod/storage/eviction.go of Kubernetes 1.34). Nothing is asked for. No I/O.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.label_selector import LabelRequirement, LabelSelector
from controller.gpu.identity import PartitionId
from controller.placement.occupant import Occupant
from controller.placement.steps import Steps
from controller.repartition.victims import Movable, Victim
from controller.state.pods import PodTable
from controller.translate.pod import PodView

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget: whom it is about, and how many of them may be evicted now.

    `spares_unready` false: a pod that is not ready may be evicted whatever it says.
    """

    namespace: str
    name: str
    selector: LabelSelector | None
    allowed: int
    spares_unready: bool

    def covers(self, pod: PodView) -> bool:
        """Whether it is about the pod. One without a selector is about none."""
        return self.selector is not None and pod.namespace == self.namespace and self.selector.matches(pod.labels)


def budget_of(obj: Json) -> DisruptionBudget:
    """A PodDisruptionBudget as the API server has it; one that its controller has not looked at yet allows nothing."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    always = spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return DisruptionBudget(
        namespace=metadata["namespace"],
        name=metadata["name"],
        selector=_selector(spec["selector"]) if spec.get("selector") is not None else None,
        allowed=status.get("disruptionsAllowed", 0) if seen else 0,
        spares_unready=not (always or (healthy >= desired > 0)),
    )


def _selector(given: Json) -> LabelSelector:
    # our own limits on selectors are not Kubernetes': nothing is checked anew
    expressions = [LabelRequirement.model_construct(**{"values": [], **each}) for each in _listed(given)]
    return LabelSelector.model_construct(
        match_labels=dict(given.get("matchLabels") or {}), match_expressions=expressions
    )


def _listed(given: Json) -> Iterable[dict[str, Any]]:
    return given.get("matchExpressions") or ()


class Budgets:
    """What evictions would be refused."""

    def __init__(self, budgets: Iterable[DisruptionBudget], pods: PodTable) -> None:
        self._by_namespace: dict[str, list[DisruptionBudget]] = defaultdict(list)
        for each in budgets:
            self._by_namespace[each.namespace].append(each)
        self._pods = pods

    def refused(self, leaving: Sequence[Occupant]) -> frozenset[str]:
        """Of pods that are to leave one after the other, the keys of those whose eviction is refused.

        A successor is not counted on: until it is ready its budget has one less.
        """
        used: Counter[tuple[str, str]] = Counter()
        return frozenset(each.key for each in leaving if not self._goes(self._pod(each, each.uid), used))

    def kept(self, leaving: Sequence[PodView]) -> frozenset[str]:
        """The same of pods, by their uids."""
        used: Counter[tuple[str, str]] = Counter()
        return frozenset(pod.uid for pod in leaving if not self._goes(pod, used))

    def lets_go(self, victim: Victim) -> bool:
        """Whether a pod that is to move may be evicted, if nobody else is."""
        return self._goes(self._pod(victim, victim.uid), Counter())

    def _pod(self, one: Occupant | Victim, uid: str) -> PodView | None:
        found = self._pods.view(f"{one.namespace}/{one.pod}") if one.namespace in self._by_namespace else None
        return found if found is not None and found.uid == uid else None

    def _goes(self, pod: PodView | None, used: Counter[tuple[str, str]]) -> bool:
        if pod is None or pod.deleting or pod.terminal or pod.phase == "Pending":
            return True  # what does not run is evicted past all budgets
        covering = [each for each in self._by_namespace.get(pod.namespace, ()) if each.covers(pod)]
        if len(covering) > 1:
            return False  # the API server evicts no pod of two budgets
        for budget in covering if pod.ready else [each for each in covering if each.spares_unready]:
            if used[budget.namespace, budget.name] >= budget.allowed:
                return False
            used[budget.namespace, budget.name] += 1
        return True


class Evictable:
    """Movable pods without those whose eviction would be refused now."""

    def __init__(self, movable: Movable, goes: Callable[[Victim], bool]) -> None:
        self._movable = movable
        self._goes = goes

    def reading(self) -> Steps[None]:
        """Look them up."""
        return self._movable.reading()

    @property
    def lowest_priority(self) -> int | None:
        """The lowest priority of all that are movable; None when there are none."""
        return self._movable.lowest_priority

    def on(self, node: str) -> Mapping[PartitionId, Victim]:
        """Those on a node, by the partition each one holds."""
        return {partition: victim for partition, victim in self._movable.on(node).items() if self._goes(victim)}
