"""A solution in the making: what each node is set to and who is where; changes can be taken back."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controller.placement.layouts.site import NodeTable, Option, Site

Takes = tuple[int, int]
"""Partitions that a claim has on its node: of which slot type, and how many."""

Mark = tuple[set[int], int, int, int]
"""What a draft was like before a round: the pool, worth, cost and waste."""

_UNDECIDED: Final = -1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a change costs, in bytes of demand that it has to place beside what could be placed without it.

    A GPU's is small: a fraction of the smallest model, so that a change is made for any claim that has no place; a
    node's lets few nodes change rather than many. A reload of the driver stops a whole node for minutes.
    `gain_percent`: what a change has to place more, of what could be placed without it, where it takes places from some
    to give them to others.
    """

    gpu_bytes: int = 128 << 20
    node_bytes: int = 256 << 20
    reload_bytes: int = 1 << 30
    gain_percent: int = 1


class NodeDraft:
    """One node of a draft. `undecided` counts, group by group, units that are set to nothing yet."""

    __slots__ = (
        "cost",
        "cpu_milli",
        "free",
        "memory",
        "memory_bytes",
        "number",
        "pods",
        "seated",
        "set",
        "table",
        "undecided",
        "waste",
    )

    def __init__(self, number: int, table: NodeTable) -> None:
        self.number = number
        self.table = table
        self.clear()

    def clear(self) -> None:
        """Nobody there, nothing decided."""
        left = self.table.node.left
        self.memory = _UNDECIDED
        self.undecided = [group.units for group in self.table.groups]
        self.set: dict[tuple[int, Option], int] = {}
        self.free = dict(self.table.base)
        self.cpu_milli, self.memory_bytes, self.pods = left.cpu_milli, left.memory_bytes, left.pods
        self.seated: dict[int, Takes] = {}
        self.cost = self.waste = 0

    def open(self, group: int, option: Option, units: int = 1) -> None:
        """Set so many units of a group."""
        self.memory = option.memory
        self.undecided[group] -= units
        self.set[group, option] = self.set.get((group, option), 0) + units
        self.free[option.slot] = self.free.get(option.slot, 0) + units * option.free

    def close(self, group: int, option: Option, units: int) -> None:
        """Set so many units of a group to nothing again: their partitions are free."""
        self.free[option.slot] -= units * option.free
        self.undecided[group] += units
        self.set[group, option] -= units
        if not self.set[group, option]:
            del self.set[group, option]
        if not self.set:
            self.memory = _UNDECIDED

    def close_unused(self) -> None:
        """Units whose partitions nobody needs are undecided again."""
        for (group, option), units in list(self.set.items()):
            unused = min(units, self.free[option.slot] // option.free) if option.free else units
            if unused:
                self.close(group, option, unused)
        if not self.set:
            self.memory = _UNDECIDED

    def admits(self, memory: int) -> bool:
        """Whether units may be set under that memory mode of the node."""
        return self.memory in (_UNDECIDED, memory)

    def price(self, terms: Terms) -> int:
        """What the node's changes cost. Under another memory mode every GPU changes, the driver reloads."""
        groups = self.table.groups
        if self.memory > 0:
            changed, reload = sum(len(group.members) for group in groups), terms.reload_bytes
        else:
            changed = sum(units * groups[group].gpus_in_unit for (group, each), units in self.set.items() if each.index)
            reload = 0
        return terms.gpu_bytes * changed + reload + (terms.node_bytes if changed else 0)

    def copy(self) -> "NodeDraft":
        """A copy that shares nothing that changes."""
        other = NodeDraft.__new__(NodeDraft)
        other.number, other.table, other.cost, other.memory = self.number, self.table, self.cost, self.memory
        other.cpu_milli, other.memory_bytes, other.pods = self.cpu_milli, self.memory_bytes, self.pods
        other.waste, other.undecided, other.set = self.waste, self.undecided.copy(), self.set.copy()
        other.free, other.seated = self.free.copy(), self.seated.copy()
        return other


class Draft:
    """All nodes of a draft; `pool` are the claims without a place, `worth` that of the placed ones."""

    def __init__(self, site: Site, terms: Terms, nodes: list[NodeDraft] | None = None) -> None:
        self.site = site
        self.terms = terms
        self.nodes = nodes or [NodeDraft(number, table) for number, table in enumerate(site.nodes)]
        self.pool = set(range(len(site.claims)))
        self.worth = 0
        self.cost = self.waste = 0
        self._before: dict[int, NodeDraft] = {}
        self._waited: set[int] = set()

    @property
    def score(self) -> int:
        """What the search raises: worth of placed claims less what the changes cost; of equals, tighter places."""
        return self.worth - self.cost - self.waste

    def placed_bytes(self) -> Counter[int]:
        """GPU memory of the placed claims, by priority."""
        found: Counter[int] = Counter()
        for number, claim in enumerate(self.site.claims):
            if number not in self.pool:
                found[claim.priority] += claim.bytes
        return found

    def copy(self) -> "Draft":
        """A copy that shares nothing that changes."""
        other = Draft(self.site, self.terms, [node.copy() for node in self.nodes])
        other.pool, other.worth, other.cost, other.waste = self.pool.copy(), self.worth, self.cost, self.waste
        return other

    def touch(self, node: NodeDraft) -> None:
        """Remember a node as it is, before the first change since `begin`."""
        if node.number not in self._before:
            self._before[node.number] = node.copy()

    def begin(self) -> Mark:
        """The mark to which `take_back` returns."""
        self._before = {}
        self._waited = self.pool.copy()
        return self._waited, self.worth, self.cost, self.waste

    def take_back(self, mark: Mark) -> None:
        """Everything as it was at the mark of the last `begin`."""
        for number, node in self._before.items():
            self.nodes[number] = node
        self._before = {}
        self.pool, self.worth, self.cost, self.waste = mark

    def settle_cost(self) -> None:
        """Count anew what the touched nodes cost, units that nobody needs being closed."""
        for number in self._before:
            node = self.nodes[number]
            node.close_unused()
            self.cost -= node.cost
            node.cost = node.price(self.terms)
            self.cost += node.cost
            self.waste -= node.waste
            node.waste = sum(self.site.waste[claim][slot] for claim, (slot, _) in node.seated.items())
            self.waste += node.waste

    def clear(self, node: NodeDraft) -> None:
        """Take everybody off a node and undo its modes."""
        self.touch(node)
        self.pool.update(node.seated)
        self.worth -= sum(self.site.worth[claim] for claim in node.seated)
        cost, waste = node.cost, node.waste
        node.clear()
        node.cost, node.waste = cost, waste  # until settle_cost

    def unseat(self, node: NodeDraft, claim: int) -> None:
        """Take a claim off its node."""
        self.touch(node)
        slot, many = node.seated.pop(claim)
        node.free[slot] += many
        cpu_milli, memory_bytes, pods = self.site.asks[claim]
        node.cpu_milli += cpu_milli
        node.memory_bytes += memory_bytes
        node.pods += pods
        self.pool.add(claim)
        self.worth -= self.site.worth[claim]

    def close(self, node: NodeDraft, group: int, option: Option, leaving: Iterable[int]) -> None:
        """Undo one unit of a group: of those `leaving` the first go, until enough of its partitions are free."""
        self.touch(node)
        for claim in leaving:
            if node.free[option.slot] >= option.free:
                break
            self.unseat(node, claim)
        node.close(group, option, 1)

    def seat(self, node: NodeDraft, claim: int, takes: Takes) -> None:
        """Give a claim partitions of a node."""
        self.touch(node)
        slot, many = takes
        node.free[slot] -= many
        cpu_milli, memory_bytes, pods = self.site.asks[claim]
        node.cpu_milli -= cpu_milli
        node.memory_bytes -= memory_bytes
        node.pods -= pods
        node.seated[claim] = takes
        self.pool.discard(claim)
        self.worth += self.site.worth[claim]

    def has_room(self, node: NodeDraft, claim: int) -> bool:
        """Whether CPU, memory and pods for the claim are left, on a node it may go to."""
        cpu_milli, memory_bytes, pods = self.site.asks[claim]
        return (
            node.table.admits[claim]
            and (cpu_milli <= node.cpu_milli or not cpu_milli)
            and (memory_bytes <= node.memory_bytes or not memory_bytes)
            and pods <= node.pods
        )

    def takes(self, node: NodeDraft, claim: int) -> Takes | None:
        """The smallest free partitions of the node that the claim fits, all of one type; None when they are too few."""
        count, free = self.site.claims[claim].count, node.free
        for slot in self.site.fits[claim]:
            if free.get(slot, 0) >= count:
                return slot, count
        return None

    def fill(self, nodes: Iterable[NodeDraft]) -> None:
        """Give claims of the pool, those of most worth first, the tightest free partitions that there are.

        `nodes` are those that changed. Who was in the pool before found no place on the others, and has none there now.
        """
        changed = [node for node in nodes if any(node.free.values())]
        offering = [node for node in self.nodes if any(node.free.values())]
        for claim in sorted(self.pool):
            best: tuple[int, NodeDraft, Takes] | None = None
            for node in changed if claim in self._waited else offering:
                if self.has_room(node, claim):
                    takes = self.takes(node, claim)
                    if takes is not None:
                        size = self.site.size[takes[0]]
                        if best is None or size < best[0]:
                            best = size, node, takes
            if best is not None:
                self.seat(best[1], claim, best[2])
