"""The cluster as one decision sees it: frozen facts, and trial changes that undo themselves."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar, cast

from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.node import Alike, Awaited, Gpu, Holder, Node, Partition, PolicyView, Reservation, Taint
from controller.placement.nodes import Nodes
from controller.placement.peers import Found, Peer, Selected, Term, count_of
from controller.placement.quota import Ledger

__all__ = ["Alike", "Awaited", "Gpu", "Holder", "Node", "Partition", "PolicyView", "Reservation", "Snapshot", "Taint"]


@dataclass(frozen=True, slots=True)
class _Trial:
    """What was tried on one node: who holds what, which partitions are free again, and what that takes of the node.

    `came` are pods that are there, too, and of claims that `left` there are none.
    """

    held: Mapping[PartitionId, Holder] = field(default_factory=dict)
    freed: frozenset[PartitionId] = frozenset()
    used: Resources = field(default_factory=Resources)
    came: tuple[Peer, ...] = ()
    left: frozenset[str] = frozenset()
    _gpus: frozenset[str] | None = field(default=None, init=False, repr=False, compare=False)

    def touches(self, bdf: str) -> bool:
        """Whether anything was tried on a GPU."""
        found = self._gpus
        if found is None:
            found = frozenset(number.bdf for number in (*self.held, *self.freed))
            object.__setattr__(self, "_gpus", found)
        return bdf in found

    def holder(self, partition: Partition) -> Holder | None:
        """Who holds the partition now."""
        tried = self.held.get(partition.id)
        return partition.holder if tried is None and partition.id not in self.freed else tried

    def held_by(self, holder: Holder, partitions: Iterable[Partition], peer: Peer | None) -> "_Trial":
        """With the partitions held, the holder's resources taken, and its pod there, where it is told."""
        held = {**self.held, **{partition.id: holder for partition in partitions}}
        came = self.came if peer is None else (*self.came, peer)
        return replace(self, held=held, used=self.used.plus(holder.resources), came=came)

    def peers(self, there: tuple[Peer, ...]) -> tuple[Peer, ...]:
        """The pods that are on the node now."""
        return (
            (*(peer for peer in there if peer.claim not in self.left), *self.came) if self.left else there + self.came
        )

    def given_back(self, holder: Holder, partitions: Iterable[Partition], peer: Peer | None) -> "_Trial":
        """What `held_by` did, taken back. Raises KeyError when it is not there."""
        held = dict(self.held)
        for partition in partitions:
            del held[partition.id]
        came = self.came if peer is None else tuple(each for each in self.came if each is not peer)
        return replace(self, held=held, used=self.used.minus(holder.resources), came=came)

    def without(self, holder: Holder, partitions: Iterable[Partition]) -> "_Trial":
        """With the partitions free, and the holder's resources too, whether it was tried or found."""
        ids = {partition.id for partition in partitions}
        held = {number: tried for number, tried in self.held.items() if number not in ids}
        came = tuple(each for each in self.came if each.claim != holder.name)
        return _Trial(held, self.freed | ids, self.used.minus(holder.resources), came, self.left | {holder.name})


T = TypeVar("T")

_UNTRIED: Final = _Trial()


class Snapshot:
    """Nodes, frozen, with trial changes beside them.

    `hold` returns its own undo and `without` ends with its block, so that a what-if leaves the snapshot as it found it.
    """

    __slots__ = (
        "_extra",
        "_judged",
        "_recalled",
        "_recalled_at",
        "_repelling",
        "_repelling_at",
        "_trials",
        "_tried",
        "_whole",
        "base",
        "token",
    )

    def __init__(self, nodes: Iterable[Node] | Nodes) -> None:
        self.base = nodes if isinstance(nodes, Nodes) else Nodes(nodes)
        self._whole = self.base
        self._trials: dict[str, _Trial] = {}
        self._tried: list[str] = []
        self._extra = Ledger({})
        self._recalled: dict[Selected, Mapping[str, Found]] = {}
        self._recalled_at = 0
        self._judged: tuple[int, object, object] = (-1, None, None)
        self._repelling: frozenset[Term] = frozenset()
        self._repelling_at = -1
        self.token: Final = object()  # the same for one snapshot, and for no other one

    @property
    def partial(self) -> bool:
        """Whether these are some of the nodes only."""
        return self._whole is not self.base

    def only(self, names: Iterable[str]) -> "Snapshot":
        """These nodes alone, for trials of their own; what is tried here counts there, and quotas count all nodes."""
        part = Snapshot(node for name in names if (node := self.base.get(name)) is not None)
        part._whole, part._extra = self._whole, self._extra.copy()
        part._trials = {name: trial for name, trial in self._trials.items() if part.base.get(name) is not None}
        return part

    def beside(self, node: Node) -> "Snapshot":
        """That node alone, as it would be; quotas count the other nodes as they are, and what is tried here."""
        part = Snapshot((node,))
        part._whole, part._extra = self._whole, self._extra.copy()
        before = self._whole.get(node.name)
        if before is not None and node.policy is not None and node.claimed is not before.claimed:
            for namespace in node.claimed.keys() | before.claimed.keys():
                more = node.claimed.get(namespace, 0) - before.claimed.get(namespace, 0)
                part._extra.add((node.policy.name, namespace), more)
        return part

    def quota_used(self, policy: str, namespace: str) -> int:
        """Bytes of the partitions that the namespace has on nodes of the policy, trial changes included."""
        account = policy, namespace
        return self._whole.claimed.get(account, 0) + self._extra.used(account)

    @property
    def everywhere(self) -> Iterator[Node]:
        """The nodes, and those of the whole cluster where these are some of them only."""
        if not self.partial:
            return iter(self.base.all)
        return (self.base.get(node.name) or node for node in self._whole.all)

    def peers(self, node: Node) -> tuple[Peer, ...]:
        """The pods on the node, trial changes included."""
        trial = self._trials.get(node.name)
        return node.peers if trial is None or not (trial.came or trial.left) else trial.peers(node.peers)

    def judged(self, demand: object, judge: Callable[[], T]) -> T:
        """What was judged of this very demand a moment ago, judged anew if something was tried since."""
        mark, known, found = self._judged
        if known is not demand or mark != len(self._tried):
            found = judge()
            self._judged = len(self._tried), demand, found
        return cast("T", found)

    def with_pods(self, pods: Selected) -> Mapping[str, Found]:
        """By node of the whole cluster that has such pods, how many; trial changes included."""
        if self._recalled_at != len(self._tried):
            self._recalled, self._recalled_at = {}, len(self._tried)
        found = self._recalled.get(pods)
        if found is None:
            found = self._recalled[pods] = {**self._whole.with_pods(pods), **dict(self._differing(pods))}
        return found

    def _differing(self, pods: Selected) -> Iterator[tuple[str, Found]]:
        """The nodes that are not as in the whole cluster: those where pods were tried, and those that are others."""
        for name, trial in self._trials.items():
            node = self.base.get(name)
            if node is not None and (trial.came or trial.left):
                yield name, count_of(pods, self.peers(node))
        if self.partial:
            for node in self.base.all:
                if node is not self._whole.get(node.name) and node.name not in self._trials:
                    yield node.name, count_of(pods, node.peers)

    @property
    def repelling(self) -> frozenset[Term]:
        """What some pod requires to be far from, of those that were tried, too."""
        if self._repelling_at != len(self._tried):
            tried = (term for trial in self._trials.values() for peer in trial.came for term in peer.repels)
            self._repelling, self._repelling_at = self._whole.repelling.union(tried), len(self._tried)
        return self._repelling

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        return self.base.all

    def node(self, name: str) -> Node | None:
        """The node of that name, None when there is none."""
        return self.base.get(name)

    def holder(self, node: Node, partition: Partition) -> Holder | None:
        """Who holds the partition, trial changes included; None when it is free."""
        trial = self._trials.get(node.name)
        return partition.holder if trial is None else trial.holder(partition)

    def free_of(self, node: Node, gpu: Gpu, alike: Alike) -> tuple[Partition, ...]:
        """Those of some alike partitions of the GPU that nobody holds, by number."""
        trial = self._trials.get(node.name)
        if trial is None or not trial.touches(gpu.bdf):
            return alike.free
        return tuple(one for one in alike.partitions if trial.holder(one) is None)

    def tried(self, node: Node) -> object:
        """What is tried on the node: the same object while that is the same, None while it is nothing."""
        return self._trials.get(node.name)

    def free(self, node: Node, gpu: Gpu) -> int:
        """How many partitions of the GPU nobody holds, fit for use or not."""
        return sum(len(self.free_of(node, gpu, alike)) for alike in gpu.alike)

    def distinct(self, node: Node) -> tuple[Gpu, ...]:
        """The node's GPUs without those that differ from one before only by name; all where something was tried."""
        return node.gpus if node.name in self._trials else node.distinct

    def used(self, node: Node) -> Resources:
        """CPU, memory and pods taken on the node, trial changes included."""
        trial = self._trials.get(node.name)
        return node.used if trial is None else node.used.plus(trial.used)

    def partitions(self) -> Iterator[tuple[Node, Gpu, Partition]]:
        """Every partition with its GPU and node, in a stable order."""
        for node in self.nodes:
            for gpu in node.gpus:
                for partition in gpu.partitions:
                    yield node, gpu, partition

    @property
    def idle_sorts(self) -> Collection[tuple[Node, Gpu]]:
        """An idle GPU, with its node, of each product and mode under each policy; what is tried counts as idle."""
        return self.base.idle

    def idle(self, node: Node, gpu: Gpu) -> bool:
        """Whether nobody, ours or foreign, holds any partition of the GPU."""
        return self.free(node, gpu) == len(gpu.partitions)

    @property
    def trial_nodes(self) -> frozenset[str]:
        """The nodes on which something is tried at the moment."""
        return frozenset(self._trials)

    def tried_since(self, mark: int) -> tuple[int, frozenset[str]]:
        """The mark of now, and the nodes on which trials began or ended since `mark`; the first mark is 0."""
        return len(self._tried), frozenset(self._tried[mark:])

    def hold(
        self, node: Node, partitions: Iterable[Partition], claim: str, pod: Resources, peer: Peer | None = None
    ) -> Callable[[], None]:
        """Try a claim on partitions of one node; the returned call takes it back. `peer` is its pod to other pods.

        Raises RuntimeError when one is held already, and holds none then: two claims on one partition is the fault
        this system exists to prevent, so it is never clamped.
        """
        wanted = tuple(partitions)
        for partition in wanted:
            present = self.holder(node, partition)
            if present is not None:
                raise RuntimeError(
                    f"partition {partition.id} of node {node.name} is held by {present.name}; "
                    f"cannot hold it for {claim}"
                )
        holder = Holder("ours", claim, pod)
        self._try(node.name, self._trial(node.name).held_by(holder, wanted, peer))
        self._count(node, holder, wanted, 1)

        def undo() -> None:
            self._try(node.name, self._trial(node.name).given_back(holder, wanted, peer))
            self._count(node, holder, wanted, -1)

        return undo

    @contextmanager
    def without(self, claims: Iterable[str]) -> Iterator[None]:
        """As if our `claims` were gone: their partitions free, and what their pods use of the nodes.

        Whatever is tried within the block ends with it, holds that were not undone included.
        """
        wanted, before, extra = frozenset(claims), dict(self._trials), self._extra.copy()
        for (name, holder), partitions in self._held_by(wanted).items():
            self._try(name, self._trial(name).without(holder, partitions))
            self._count(self.base.get(name), holder, partitions, -1)
        try:
            yield
        finally:
            names = self._trials.keys() | before.keys()
            self._tried += [name for name in names if self._trials.get(name) is not before.get(name)]
            self._trials, self._extra = before, extra

    def _held_by(self, claims: frozenset[str]) -> dict[tuple[str, Holder], list[Partition]]:
        places = {name for claim in claims for name in self.base.with_claim(claim)}
        found: dict[tuple[str, Holder], list[Partition]] = {}
        for node in filter(None, map(self.base.get, sorted(places | self._trials.keys()))):
            for partition in (one for gpu in node.gpus for one in gpu.partitions):
                holder = self.holder(node, partition)
                if holder is not None and holder.kind == "ours" and holder.name in claims:
                    found.setdefault((node.name, holder), []).append(partition)
        return found

    def _count(self, node: Node | None, holder: Holder, partitions: Iterable[Partition], sign: int) -> None:
        if node is not None and node.policy is not None:
            size = sum(partition.bytes for partition in partitions)
            self._extra.add((node.policy.name, holder.namespace), sign * size)

    def _trial(self, node: str) -> _Trial:
        return self._trials.get(node, _UNTRIED)

    def _try(self, node: str, trial: _Trial) -> None:
        self._tried.append(node)
        if trial == _UNTRIED:
            self._trials.pop(node, None)
        else:
            self._trials[node] = trial
