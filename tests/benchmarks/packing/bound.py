"""What no scheduler can exceed: the most GPU that could be allocated to the pods that arrived, known all at once.

A programme in which nodes of one type are one large node in CPU, memory and GPU, and the GPUs of the cluster are cut by
patterns, the ways in which shares fill one GPU; of it the bound that the solver proves. It may leave out any pods, those
without GPU first, which a scheduler may not: the true optimum is lower.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from controller.placement.packing.host import WHOLE, Ask, Host
from tests.benchmarks.placement.milp import INFINITE, Model, solve

#: What is asked for is the bound, which stands after the first relaxation: any solution is near enough.
_GAP = 0.5
_SECONDS = 60.0


def patterns(sizes: Sequence[int], room: int = WHOLE) -> Iterator[tuple[int, ...]]:
    """The ways to fill a GPU with shares of these sizes, the largest first, to which none can be added: how many of each."""
    if not sizes:
        yield ()
        return
    first, rest = sizes[0], sizes[1:]
    smallest = min(sizes)
    for number in range(room // first, -1, -1):
        left = room - number * first
        for others in patterns(rest, left):
            if left - sum(size * count for size, count in zip(rest, others, strict=True)) < smallest:
                yield (number, *others)


def bounds_of(hosts: Sequence[Host], arrivals: Iterator[Sequence[Ask]]) -> Iterator[float]:
    """Hundredths of the hosts' GPU, for one list of pods after the other. Raises SolverError."""
    capacity = sum(host.idle for host in hosts)
    for solution in solve((programme(hosts, arrived) for arrived in arrivals), gap=_GAP, seconds=_SECONDS):
        yield solution.bound * 100 / capacity


def programme(hosts: Sequence[Host], arrived: Sequence[Ask]) -> Model:
    """The most GPU that can be allocated, in thousandths."""
    types, kinds, model = Counter(hosts), Counter(arrived), Model()
    placed = {
        (host, ask): model.column(0, number, ask.gpu_milli)
        for host in types
        for ask, number in kinds.items()
        if ask.cpu_milli <= host.cpu_milli
        and ask.memory_mib <= host.memory_mib
        and ask.count <= len(host.pieces)
        and (not ask.models or host.model in ask.models)
    }
    for ask, number in kinds.items():
        _limit(model, [(1.0, column) for (_, other), column in placed.items() if other == ask], number)
    for host, number in types.items():
        mine = [(ask, column) for (other, ask), column in placed.items() if other == host]
        _limit(model, [(ask.cpu_milli, column) for ask, column in mine], number * host.cpu_milli)
        _limit(model, [(ask.memory_mib, column) for ask, column in mine], number * host.memory_mib)
        _limit(model, [(ask.gpu_milli, column) for ask, column in mine], number * host.idle)
    _cut(model, placed, sum(host.idle for host in hosts) // WHOLE)
    return model


def _cut(model: Model, placed: Mapping[tuple[Host, Ask], int], gpus: int) -> None:
    """GPUs are whole for one pod, or cut by one pattern each."""
    sizes = sorted({ask.milli for _, ask in placed if ask.shares}, reverse=True)
    cuts = [(model.column(0, gpus), pattern) for pattern in patterns(sizes)]
    whole = [(float(ask.count), column) for (_, ask), column in placed.items() if ask.count and not ask.shares]
    _limit(model, whole + [(1.0, column) for column, _ in cuts], gpus)
    for place, size in enumerate(sizes):
        taken = [(1.0, column) for (_, ask), column in placed.items() if ask.shares and ask.milli == size]
        _limit(model, taken + [(-float(pattern[place]), column) for column, pattern in cuts if pattern[place]], 0.0)


def _limit(model: Model, terms: Sequence[tuple[float, int]], most: float) -> None:
    if terms:
        model.row(-INFINITE, most, terms)
