"""ModelScheduler: filter, score, decide; then the next demand, on a snapshot that holds the decisions before it."""

from collections.abc import Callable, Iterable, Sequence

from controller.placement.decision import Decision, Placed, Refusal, Unplaced, gib
from controller.placement.demand import Demand
from controller.placement.filters import refuse_devices, refuse_node, refuse_partition
from controller.placement.scores import Score, Scorer, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot


def order(demands: Iterable[Demand]) -> list[Demand]:
    """Higher priority first, then older, then by key: equal inputs give equal outcomes."""
    return sorted(demands, key=lambda demand: (-demand.priority, demand.created_seconds, demand.key))


class ModelScheduler:
    """Places demands on a snapshot. Keeps no state between calls."""

    def __init__(self, scorer: Scorer = best_fit) -> None:
        self._scorer = scorer

    def cycle(self, snapshot: Snapshot, demands: Iterable[Demand]) -> list[tuple[Demand, Decision]]:
        """Decide every demand in order; each `Placed` stays held in the snapshot for those after it."""
        decisions: list[tuple[Demand, Decision]] = []
        for demand in order(demands):
            decision = self.schedule(snapshot, demand)
            if isinstance(decision, Placed):
                snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources)
            decisions.append((demand, decision))
        return decisions

    def schedule(self, snapshot: Snapshot, demand: Demand) -> Decision:
        """The best partition for one demand, or why there is none. Changes nothing."""
        if demand.requirement.count != 1:
            return Unplaced(
                "CountUnsupported",
                f"gpuSharing.partition.count: {demand.requirement.count} partitions for one pod are not placed "
                "yet; set it to 1 and choose a larger partition",
            )
        refusals = _Refusals()
        best: tuple[Score, Placed] | None = None
        for node in snapshot.nodes:
            refused = refuse_node(snapshot, demand, node)
            if refused is not None:
                refusals.add(*refused, count=sum(len(gpu.partitions) for gpu in node.gpus))
                continue
            for gpu, partition in _candidates(snapshot, demand, node, refusals):
                score = self._scorer(snapshot, demand, node, gpu, partition)
                if best is None or score < best[0]:
                    best = score, Placed.on(node, gpu, partition)
        if best is not None:
            return best[1]
        return _explain(snapshot, demand, refusals.rows())


class _Refusals:
    def __init__(self) -> None:
        self._rows: dict[str, Refusal] = {}

    def add(self, reason: str, example: str, count: int) -> None:
        present = self._rows.get(reason)
        self._rows[reason] = Refusal(
            reason, count + (present.count if present else 0), present.example if present else example
        )

    def rows(self) -> tuple[Refusal, ...]:
        return tuple(sorted(self._rows.values(), key=lambda row: (-row.count, row.reason)))


def _candidates(snapshot: Snapshot, demand: Demand, node: Node, refusals: _Refusals) -> Sequence[tuple[Gpu, Partition]]:
    """The node's partitions that pass every check; with the device plugin they stand for those the kubelet may give."""
    found: list[tuple[Gpu, Partition]] = []
    for gpu in node.gpus:
        for partition in gpu.partitions:
            refused = refuse_partition(snapshot, demand, node, gpu, partition)
            if refused is None:
                found.append((gpu, partition))
            else:
                refusals.add(*refused, count=1)
    if not demand.resource or not found:
        return found
    short = refuse_devices(snapshot, demand, node, [partition for _, partition in found])
    if short is None:
        return found
    refusals.add(*short, count=len(found))
    return ()


Lead = Callable[[Snapshot, Demand], tuple[str, str] | None]


def _no_nodes(snapshot: Snapshot, _demand: Demand) -> tuple[str, str] | None:
    if any(node.gpus for node in snapshot.nodes):
        return None
    return "NoManagedNodes", (
        "no GPU node has reported an inventory yet; label nodes aim.amd.com/managed=true and run the agent there"
    )


def _mode_unknown(snapshot: Snapshot, demand: Demand) -> tuple[str, str] | None:
    modes = demand.requirement.modes
    reachable = {mode for node in snapshot.nodes for gpu in node.gpus for mode in (*gpu.allowed, gpu.mode)}
    if not modes or modes & reachable:
        return None
    asked = " or ".join(sorted(map(str, modes)))
    offered = ", ".join(sorted(map(str, reachable)))
    return (
        "ModeUnavailable",
        f"gpuSharing.partition.mode: no GPU here has the mode {asked}; choose one of {offered}",
    )


def _too_large(snapshot: Snapshot, demand: Demand) -> tuple[str, str] | None:
    largest = max((sum(p.bytes for p in gpu.partitions) for node in snapshot.nodes for gpu in node.gpus), default=0)
    need = demand.requirement.bytes
    if need <= largest:
        return None
    return "TooLargeForAnyGPU", (
        f"the model needs {gib(need)}, the largest GPU here has {gib(largest)}; choose a smaller precision, "
        "a shorter maxModelLen or less maxConcurrency"
    )


LEADS: tuple[Lead, ...] = (_no_nodes, _mode_unknown, _too_large)


def _explain(snapshot: Snapshot, demand: Demand, refusals: tuple[Refusal, ...]) -> Unplaced:
    for lead in LEADS:
        found = lead(snapshot, demand)
        if found is not None:
            return Unplaced(*found, refusals)
    total = sum(row.count for row in refusals)
    parts = "; ".join(f"{row.count} {row.reason} (e.g. {row.example})" for row in refusals)
    fitting = [row for row in refusals if row.reason == "PartitionHeld"]
    reason = "NoFreePartition" if fitting else "NoPartitionFits"
    return Unplaced(
        reason,
        f"0 of {total} partitions take {gib(demand.requirement.bytes)} for {demand.key}: {parts}",
        refusals,
    )
