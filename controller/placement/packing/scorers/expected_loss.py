"""The default: the idle GPU that the expected workload will not be able to use, and how much a place adds to it.

Three ways to lose idle GPU, each in thousandths of a GPU:

- *Remainders.* Part of a GPU into which hardly any piece fits stays idle. How much of a remainder is lost in the end
  follows from the sizes that are expected, size by size from the smallest.
- *CPU beside GPU.* Free GPU on a node without CPU is as good as gone. The expected mix needs so much CPU a GPU; what
  the node's CPU cannot serve at that rate is lost. A smaller part looks at the kinds one by one, for a node may be
  filled by the frugal ones.
- *Models in demand.* Where pods insist on a model, its GPUs are worth more than others', by the ratio of what is
  expected to insist to what there is: then others go elsewhere.

Of places that lose alike the fullest node is taken: an empty one keeps every possibility, such as several whole GPUs.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.placement.packing.host import WHOLE, Amount, Ask, Host, share_left
from controller.placement.packing.scorers.arithmetic import NUMBERS, Arithmetic
from controller.placement.packing.scorers.best_fit import LARGEST_CPU_MILLI, LARGEST_GPU_MILLI
from controller.placement.packing.scorers.scorer import Standing, Taking
from controller.placement.packing.workload import Kind, Workload

#: A remainder counts as used up when this share of the expected pieces fits it; for rarer ones in proportion.
RARE: Final = 1 / 20
#: Weight of the view that a node is filled by one kind of pod alone.
ONE_KIND: Final = 0.3
#: Thousandths of a GPU that an empty largest node is worth over a full one: decides between places that lose alike.
FULLNESS: Final = 100
#: CPU a GPU is looked up in steps of a hundredth of a core; beyond the last it is plenty for every kind.
_STEP_MILLI: Final = 10
_STEPS: Final = 12_800


@dataclass(frozen=True, slots=True)
class ExpectedLoss:
    """`remainders`: by size of a piece, what of it is lost; `beside`: by steps of CPU a GPU, the share of usable GPU
    that kinds filling a node alone would lose; `cpu_milli`: the CPU that the mix needs beside a thousandth of a GPU;
    `worth`: what a thousandth of a GPU of a model is worth above others; `full_cpu` and `full_gpu`: what a
    thousandth of a core, and of a GPU, that is left adds to the cost.
    """

    remainders: Sequence[int]
    beside: Sequence[float]
    cpu_milli: float
    worth: Mapping[str, float]
    full_cpu: float
    full_gpu: float
    arithmetic: Arithmetic = NUMBERS
    name: str = "default"

    @classmethod
    def of(
        cls,
        workload: Workload,
        capacity: Mapping[str, int],
        left: Callable[[int, int], int] = share_left,
        fullness: float = FULLNESS,
    ) -> "ExpectedLoss":
        """For a workload, the GPU that there is by model, in thousandths, how pieces are cut; FULLNESS or another."""
        kinds, typical = workload.on_gpus, workload.typical.on_gpus
        return cls(
            remainders=_remainders(workload, left),
            beside=[ONE_KIND * _short_of_cpu(typical, step * _STEP_MILLI) for step in range(_STEPS)],
            cpu_milli=sum(kind.share * kind.ask.cpu_milli / kind.ask.gpu_milli for kind in kinds),
            worth=_worth(kinds, capacity),
            full_cpu=fullness / LARGEST_CPU_MILLI / 2,
            full_gpu=fullness / LARGEST_GPU_MILLI / 2,
        )

    def cost(self, before: Host, after: Host, ask: Ask) -> Amount:
        """How much more is lost afterwards than before, in thousandths of a GPU; may be less than 0.

        What a partition has beyond what was asked for is lost as well.
        """
        standing = self.standing(before)
        lost = sum(self.remainders[piece] for piece in after.pieces) - standing.lost
        pieces = standing.idle - after.idle
        return self.taken(standing, Taking(after.cpu_milli, pieces, pieces - ask.gpu_milli, lost))

    def loss(self, host: Host) -> Amount:
        """Idle GPU that is expected to stay so. Less what a model in demand is worth, hence below 0 for such."""
        return self.standing(host).loss

    def standing(self, host: Host) -> Standing:
        """What there is on a host, and what of it is lost."""
        idle, lost = host.idle, sum(map(self.remainders.__getitem__, host.pieces))
        return Standing(
            host.cpu_milli, idle, lost, lost + self._rest(host.cpu_milli, idle, lost, host.model), host.model
        )

    def taken(self, standing: Standing, taking: Taking) -> Amount:
        """The cost of a place."""
        idle, lost = standing.idle - taking.pieces, standing.lost + taking.lost
        return taking.beyond + self.afterwards(taking.cpu_left, idle, lost, standing.model) - standing.loss

    def afterwards(self, cpu_milli: Amount, idle: Amount, lost: Amount, model: str) -> Amount:
        """What is lost on a host that was given something: so much is `idle`, so much of that `lost` in remainders."""
        return lost + self._rest(cpu_milli, idle, lost, model) + self.full_cpu * cpu_milli + self.full_gpu * idle

    def _rest(self, cpu_milli: Amount, idle: Amount, lost: Amount, model: str) -> Amount:
        by, usable = self.arithmetic, idle - lost
        short = by.at_least(0.0, usable - cpu_milli / self.cpu_milli) if self.cpu_milli else 0.0
        step = cpu_milli * (WHOLE / _STEP_MILLI) / by.at_least(1.0, usable)
        rest = short + usable * by.look_up(self.beside, step)
        worth = self.worth.get(model, 0.0)
        return rest - worth * idle if worth else rest

    def prepared(self, arithmetic: Arithmetic) -> "ExpectedLoss":
        """The same with tables of arrays."""
        beside, remainders = arithmetic.table(self.beside), arithmetic.table(self.remainders)
        return replace(self, arithmetic=arithmetic, beside=beside, remainders=remainders)


def _remainders(workload: Workload, left: Callable[[int, int], int]) -> list[int]:
    """By free part of a GPU, 0 to WHOLE: what of it is lost once the expected pieces have come, the rarer the more.

    What a pod gets beyond what it asked for is lost, too.
    """
    sizes: Counter[int] = Counter()
    for kind in workload.kinds:
        if kind.ask.gpu_milli:
            sizes[kind.ask.milli] += kind.share * kind.ask.count  # type: ignore[assignment]  # adds floats as well
    total = sum(sizes.values())
    lost = [0.0]
    for free in range(1, WHOLE + 1):
        fitting = [
            (free - size - rest + lost[rest], count / total)
            for size, count in sizes.items()
            if size <= free and (rest := left(size, free)) >= 0
        ]
        common = sum(share for _, share in fitting)
        used = min(1.0, common / RARE)
        later = sum(share * gone for gone, share in fitting) / common if common else 0.0
        lost.append((1 - used) * free + used * later)
    return [max(0, round(one)) for one in lost]


def _short_of_cpu(kinds: Sequence[Kind], cpu_milli: int) -> float:
    """The share of a GPU with so much CPU beside it that each kind alone would leave idle, weighed by their GPU."""
    return sum(
        kind.share * max(0.0, 1 - cpu_milli * kind.ask.gpu_milli / (kind.ask.cpu_milli * WHOLE))
        for kind in kinds
        if kind.ask.cpu_milli
    )


def _worth(kinds: Sequence[Kind], capacity: Mapping[str, int]) -> dict[str, float]:
    """By model, what is expected to insist on it to what there is, both as shares of all GPU; 1 at most."""
    worth = dict.fromkeys(capacity, 0.0)
    total = sum(capacity.values())
    for kind in kinds:
        suiting = kind.ask.models & capacity.keys()
        there = sum(capacity[model] for model in suiting)
        if there and len(suiting) < len(capacity):
            for model in suiting:
                worth[model] += kind.share * total / there
    return {model: min(1.0, ratio) for model, ratio in worth.items()}
