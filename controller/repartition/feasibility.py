"""Whether a plan can be carried out at all, by what the agent reports of the hardware and what the policy allows.

Asked before a person is, and again before anybody is disturbed: a plan that can never run evicts nobody. Modes are
compared as they are written, `SPX/NPS1`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.placement.filters import CHANGING_AGENTS, only_reports

#: At most so many GPUs stand in a sentence.
_NAMED = 16


class Why(StrEnum):
    """Why a plan cannot be carried out."""

    READ_ONLY = "ReadOnlyBackend"
    UNKNOWN_GPU = "UnknownGPU"
    TWO_MEMORY_MODES = "TwoMemoryModes"
    MODE_NOT_SUPPORTED = "ModeNotSupported"
    NODE_WIDE = "MemoryModeIsNodeWide"
    QUARANTINED = "Quarantined"
    NOT_ALLOWED = "ModeNotAllowed"
    NOT_VALIDATED = "ModeNotValidated"
    UNREADABLE = "ModeUnreadable"
    OTHER_MODE = "OtherMode"
    SOURCES_DISAGREE = "SourcesDisagree"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a plan cannot be carried out: what is the case, and what helps.

    `passing`: it is about the state of the moment, which a change under way or a dead agent's last report may explain.
    """

    why: Why
    fact: str
    remedy: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class ReportedGpu:
    """A GPU as its agent reports it. `mode` None: nobody can read it, `problem` may say why.

    `allowed` are the modes that it can be put into, `validated` those of them that AMD tested. `quarantined` are the
    numbers of its partitions in quarantine.
    """

    bdf: str
    product: str
    mode: str | None
    allowed: tuple[str, ...] = ()
    validated: frozenset[str] = frozenset()
    quarantined: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A node as its agent reports it.

    `lost` are GPUs that it had and has not now; `disagreement` says how its sources contradict each other, "" when they
    do not; `writable`: whether the agent can change modes at all.
    """

    node: str
    gpus: tuple[ReportedGpu, ...]
    lost: frozenset[str] = frozenset()
    disagreement: str = ""
    writable: bool = True

    def gpu(self, bdf: str) -> ReportedGpu | None:
        """The GPU at that address; None when there is none."""
        return next((gpu for gpu in self.gpus if gpu.bdf == bdf), None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The modes that a policy allows. `modes` empty: all of them."""

    policy: str
    modes: frozenset[str] = frozenset()
    validated_only: bool = False


def problems(
    hardware: Hardware, before: Mapping[str, str], after: Mapping[str, str], bounds: Bounds | None
) -> tuple[Problem, ...]:
    """All that makes the change from `before` to `after` (mode by bdf) impossible, what lasts first; () when nothing.

    `bounds` None: no policy binds the change, because none governs the node or because it takes another one back.
    """
    change = _Change(hardware, before, after)
    found = [*change.refused_by_hardware(), *change.quarantined(), *(change.out_of_bounds(bounds) if bounds else ())]
    return (*found, *change.refused_by_state())


def sentence(found: tuple[Problem, ...]) -> str:
    """All problems for people, with what helps against each; "" for none."""
    if not found:
        return ""
    facts = "; ".join(problem.fact for problem in found)
    remedies = dict.fromkeys(problem.remedy for problem in found)
    return f"{facts}; nothing was changed. To help it: {'; '.join(remedies)}"


def listed(bdfs: list[str]) -> str:
    """Addresses for a sentence."""
    more = f" and {len(bdfs) - _NAMED} more" if len(bdfs) > _NAMED else ""
    return f"{', '.join(bdfs[:_NAMED])}{more}"


def memory(mode: str) -> str:
    """The memory mode of a written mode: `NPS1`."""
    return mode.partition("/")[2]


@dataclass(frozen=True, slots=True)
class _Change:
    hardware: Hardware
    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def reloads(self) -> bool:
        """Whether the memory mode changes, and with it the whole node."""
        return any(memory(self.before.get(bdf, mode)) != memory(mode) for bdf, mode in self.after.items())

    @property
    def changed(self) -> dict[str, str]:
        """The new modes of the GPUs that get one."""
        return {bdf: mode for bdf, mode in sorted(self.after.items()) if self.before.get(bdf) != mode}

    def refused_by_hardware(self) -> Iterator[Problem]:
        node = self.hardware.node
        if not self.hardware.writable:
            yield Problem(Why.READ_ONLY, only_reports(node), CHANGING_AGENTS)
        yield from self._unknown()
        memories = sorted({memory(mode) for mode in self.after.values()})
        if len(memories) > 1:
            fact = f"{' and '.join(memories)} are asked for side by side, and all GPUs of a node share one memory mode"
            yield Problem(Why.TWO_MEMORY_MODES, fact, "write the plan again with one NPS")
        for (product, mode, allowed), bdfs in self._unsupported().items():
            fact = f"{product or 'the GPU'} has no mode {mode} ({listed(bdfs)})"
            remedy = f"write the plan again with one of {allowed}" if allowed else "look at what the agent logs"
            yield Problem(Why.MODE_NOT_SUPPORTED, fact, remedy)
        yield from self._partly_named()

    def _unknown(self) -> Iterator[Problem]:
        node, there = self.hardware.node, [gpu.bdf for gpu in self.hardware.gpus]
        unknown = sorted(set(self.after) - set(there))
        lost = [bdf for bdf in unknown if bdf in self.hardware.lost]
        if lost:
            fact = f"node {node} has lost {listed(lost)}"
            remedy = f"power {node} off and on, and replace the GPU if it stays away"
            yield Problem(Why.UNKNOWN_GPU, fact, remedy, passing=True)
        strange = [bdf for bdf in unknown if bdf not in self.hardware.lost]
        if strange:
            fact = f"node {node} has no GPU {listed(strange)}"
            yield Problem(Why.UNKNOWN_GPU, fact, f"write the plan again for GPUs that it has: {listed(there)}")

    def _unsupported(self) -> dict[tuple[str, str, str], list[str]]:
        found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for bdf, mode in self.changed.items():
            gpu = self.hardware.gpu(bdf)
            if gpu is not None and mode not in gpu.allowed:
                found[gpu.product, mode, ", ".join(gpu.allowed)].append(bdf)
        return found

    def _partly_named(self) -> Iterator[Problem]:
        left_out = [gpu.bdf for gpu in self.hardware.gpus if gpu.bdf not in self.after]
        if not (self.reloads and left_out):
            return
        there = len(self.hardware.gpus)
        named = f"{there - len(left_out)} of the {there} GPUs of node {self.hardware.node}"
        fact = f"the memory mode (NPS) is the whole node's, and the plan names {named}"
        yield Problem(Why.NODE_WIDE, fact, f"write the plan again and name {listed(left_out)} in it as well")

    def quarantined(self) -> Iterator[Problem]:
        node = self.hardware.node
        for gpu in self.hardware.gpus:
            if gpu.quarantined and (self.reloads or gpu.bdf in self.after):
                numbers = ", ".join(map(str, sorted(gpu.quarantined)))
                many = "partitions" if len(gpu.quarantined) > 1 else "partition"
                fact = f"{gpu.bdf} has {many} {numbers} in quarantine, and a GPU in quarantine keeps its mode"
                remedy = f"once the GPU is sound, take the entry out of spec.quarantine (kubectl edit gpun {node})"
                yield Problem(Why.QUARANTINED, fact, remedy)

    def out_of_bounds(self, bounds: Bounds) -> Iterator[Problem]:
        forbidden: dict[str, list[str]] = defaultdict(list)
        untested: dict[tuple[str, str], list[str]] = defaultdict(list)
        for bdf, mode in self.changed.items():
            gpu = self.hardware.gpu(bdf)
            if bounds.modes and mode not in bounds.modes:
                forbidden[mode].append(bdf)
            elif bounds.validated_only and gpu is not None and mode in gpu.allowed and mode not in gpu.validated:
                untested[gpu.product, mode].append(bdf)
        for mode, bdfs in forbidden.items():
            fact = f"policy {bounds.policy} does not allow {mode} ({listed(bdfs)})"
            remedy = f"write the plan again with one of {', '.join(sorted(bounds.modes))}, or change its allowedModes"
            yield Problem(Why.NOT_ALLOWED, fact, remedy)
        for (product, mode), bdfs in untested.items():
            fact = f"AMD has not validated {mode} for {product}, as policy {bounds.policy} demands ({listed(bdfs)})"
            yield Problem(
                Why.NOT_VALIDATED, fact, "write the plan again with a validated mode, or set validatedOnly: false"
            )

    def refused_by_state(self) -> Iterator[Problem]:
        """What is about the state of the moment. The agent changes nothing while it cannot read every GPU's mode."""
        node = self.hardware.node
        for gpu in self.hardware.gpus:
            if gpu.mode is None:
                fact = f"the mode of {gpu.bdf} cannot be read" + (f" ({gpu.problem})" if gpu.problem else "")
                remedy = f"reload the driver on node {node} or power it off and on, then write the plan again"
                yield Problem(Why.UNREADABLE, fact, remedy, passing=True)
        for (reads, starts), bdfs in self._moved_on().items():
            verb = "reads" if len(bdfs) == 1 else "read"
            fact = f"{listed(bdfs)} {verb} {reads}, the plan starts from {starts}"
            remedy = f"write the plan again from the modes that kubectl get gpun {node} -o yaml shows"
            yield Problem(Why.OTHER_MODE, fact, remedy, passing=True)
        if self.hardware.disagreement:
            fact = f"the hardware of node {node} contradicts itself: {self.hardware.disagreement}"
            remedy = f"see condition Consistent of kubectl get gpun {node} -o yaml, then write the plan again"
            yield Problem(Why.SOURCES_DISAGREE, fact, remedy, passing=True)

    def _moved_on(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for bdf, starts in sorted(self.before.items()):
            gpu = self.hardware.gpu(bdf)
            if gpu is not None and gpu.mode not in (None, starts):
                found[gpu.mode or "", starts].append(bdf)
        return found
