"""The joint choice of modes as a mixed-integer program: the most GPU memory that any layout places, changes being free.

Of each node: one memory mode; of each kind of idle GPUs how many are in which mode under it; of each kind of claims how
many are placed there. Claims that may take any mode are bounded size by size: all that need more than a size fit into
what larger partitions are left. That is exact, because what holds a claim holds every smaller one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from controller.gpu.mode import Mode
from controller.placement.layouts.problem import Batch, LayoutClaim, LayoutGpu, LayoutNode, chosen, under
from tests.benchmarks.placement.milp import INFINITE, Model

GIB = 1 << 30
Slot = tuple[int, Mode]
Terms = list[tuple[float, int]]


def model_of(batch: Batch) -> Model:
    """The program of a batch whose nodes may all change, and none of which needs its GPUs alike; gains are in GiB."""
    model = Model()
    kinds: dict[object, list[LayoutClaim]] = defaultdict(list)
    for claim in batch.claims:
        asked = (claim.size, claim.count, claim.modes, claim.priority, claim.resources, claim.nodes)
        kinds[asked].append(claim)
    placed: list[list[int]] = [[] for _ in kinds]
    for node in batch.nodes:
        _add_node(model, node, list(kinds.values()), placed)
    for claims, columns in zip(kinds.values(), placed, strict=True):
        model.row(0, len(claims), ((1.0, column) for column in columns))
    return model


def _add_node(model: Model, node: LayoutNode, kinds: Sequence[Sequence[LayoutClaim]], placed: list[list[int]]) -> None:
    if node.rests or node.alike:
        raise ValueError(f"node {node.name}: the model has no nodes that rest, or whose GPUs are alike")
    offers, staying = _add_modes(model, node)
    free: list[tuple[int, int, int]] = []  # bytes, partitions, column of claims that take any mode
    bound: dict[Slot, Terms] = defaultdict(list)
    room: list[tuple[LayoutClaim, int]] = []
    for number, claims in enumerate(kinds):
        claim = claims[0]
        if claim.nodes is not None and node.name not in claim.nodes:
            continue
        fits = [slot for slot in offers if slot[0] >= claim.size and (not claim.modes or slot[1] in claim.modes)]
        one_type = bool(claim.modes) or claim.count > 1
        for slot in fits if one_type else fits[:1]:
            column = model.column(0, len(claims), claim.bytes / GIB)
            placed[number].append(column)
            room.append((claim, column))
            if one_type:
                bound[slot].append((float(claim.count), column))
            else:
                free.append((claim.size, claim.count, column))
    _add_room(model, node, room)
    for slot, terms in bound.items():
        model.row(-INFINITE, staying[slot], [*terms, *_less(offers[slot])])
    lower = -1
    for size in sorted({slot[0] for slot in offers}):
        larger = [slot for slot in offers if slot[0] >= size]
        terms = [(float(count), column) for need, count, column in free if need > lower]
        terms += [term for slot in larger for term in (*bound[slot], *_less(offers[slot]))]
        model.row(-INFINITE, sum(staying[slot] for slot in larger), terms)
        lower = size


def _add_modes(model: Model, node: LayoutNode) -> tuple[dict[Slot, Terms], Counter[Slot]]:
    """By slot type: the columns that offer partitions, and the partitions of GPUs that stay as they are."""
    offers: dict[Slot, Terms] = defaultdict(list)
    staying: Counter[Slot] = Counter()
    alike: dict[LayoutGpu, list[int]] = defaultdict(list)
    for index, gpu in enumerate(node.gpus):
        if gpu.others:
            alike[LayoutGpu("", gpu.now, gpu.others)].append(index)
        else:
            staying[gpu.now.size, gpu.now.mode] += gpu.now.free
    memories = []
    for way in under(node):
        memory = model.column(0, 1)
        memories.append((1.0, memory))
        for members in alike.values():
            counts = []
            for number in way[members[0]]:
                each = chosen(node.gpus[members[0]], number)
                column = model.column(0, len(members))
                counts.append((1.0, column))
                offers[each.size, each.mode].append((float(each.free), column))
            model.row(0, 0, [*counts, (-float(len(members)), memory)])
    model.row(1, 1, memories)
    return {slot: offers.get(slot, []) for slot in sorted({*offers, *staying})}, staying


def _add_room(model: Model, node: LayoutNode, room: Iterable[tuple[LayoutClaim, int]]) -> None:
    there = list(room)
    cpu = [(claim.resources.cpu_milli / 1000, column) for claim, column in there]
    memory = [(claim.resources.memory_bytes / GIB, column) for claim, column in there]
    pods = [(float(claim.resources.pods), column) for claim, column in there]
    model.row(-INFINITE, node.left.cpu_milli / 1000, cpu)
    model.row(-INFINITE, node.left.memory_bytes / GIB, memory)
    model.row(-INFINITE, node.left.pods, pods)


def _less(terms: Terms) -> Terms:
    return [(-coefficient, column) for coefficient, column in terms]
