"""Which pods of a ReplicaSet are to go first when it shrinks: those that leave a whole GPU behind. Pure.

A GPU that nobody uses can be given to a large model, or to another mode. The order is told by Kubernetes' annotation
controller.kubernetes.io/pod-deletion-cost: of pods that are alike to the ReplicaSet the lower goes first, and 0 is what
a pod without it has. Each write is one to the API server, so nothing is written while it would change no order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"
#: Of a pod that leaves a whole GPU behind.
FIRST: Final = "-100"


@dataclass(frozen=True, slots=True)
class Member:
    """A pod of the ReplicaSet: what its annotation says now, "" for nothing, and whether it leaves a whole GPU."""

    name: str
    uid: str
    cost: str
    frees_gpu: bool

    @property
    def wanted(self) -> str:
        """What the annotation should say; "" that it should not be there."""
        return FIRST if self.frees_gpu else ""


def changes(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members whose annotation is to be written; none where all are alike, or somebody else writes costs."""
    if any(member.cost not in ("", FIRST) for member in members):
        return ()
    if len({member.frees_gpu for member in members}) < 2:
        return ()
    return tuple(member for member in members if member.cost != member.wanted)


def leaves_gpu(claim: str, gpus: Sequence[Mapping[int, str]]) -> bool:
    """Whether a claim alone holds one of its GPUs; `gpus` are these, each the holder by partition, "" for nobody."""
    return any(set(holders.values()) - {""} == {claim} for holders in gpus)
