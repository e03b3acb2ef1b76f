"""The batch of one engine: who waits, who is in a seat, what a step does. Pure: it is told when a step is over.

As vLLM batches: sequences join and leave between steps; a step prefills some tokens of prompts and gives every sequence
whose prompt is done a token more; sequences that find no seat wait, first come first served or by priority, lower
sooner. Nobody who has a seat loses it.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from e2e.engine.speed import Speed

PREFILL_TOKENS_A_STEP: Final = 2048
"""Prompts are prefilled in pieces, so that a long one does not stop those that decode: vLLM's default on such GPUs is
of this order."""


@dataclass(slots=True, eq=False)
class Sequence:
    """One answer being made. `output_tokens` 0: only the prompt is read, as for embeddings."""

    prompt_tokens: int
    output_tokens: int
    priority: int = 0
    prefilled: int = 0
    emitted: int = 0
    ended: bool = False

    @property
    def done(self) -> bool:
        """Whether everything that was asked for is made."""
        return self.prefilled >= self.prompt_tokens and self.emitted >= self.output_tokens

    @property
    def tokens(self) -> int:
        """Tokens whose keys and values are held now."""
        return self.prefilled + self.emitted


@dataclass(frozen=True, slots=True)
class Step:
    """What is done at once: tokens of prompts by sequence, and the sequences that get a token. Takes `seconds`.

    `seated`: those that got a seat with it.
    """

    seconds: float
    prefilling: tuple[tuple[Sequence, int], ...]
    decoding: tuple[Sequence, ...]
    seated: tuple[Sequence, ...] = ()


@dataclass(slots=True)
class Batch:
    """`seats`: sequences served at once. `by_priority`: whether those that wait are taken by priority."""

    seats: int
    speed: Speed
    by_priority: bool = False
    _running: list[Sequence] = field(default_factory=list)
    _waiting: list[tuple[int, int, Sequence]] = field(default_factory=list)
    _order: int = 0

    @property
    def running(self) -> int:
        """Sequences in a seat."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Sequences without one."""
        return sum(not sequence.ended for _, _, sequence in self._waiting)

    @property
    def tokens(self) -> int:
        """Tokens whose keys and values are held now."""
        return sum(sequence.tokens for sequence in self._running)

    def submit(self, sequence: Sequence) -> None:
        """Let a sequence wait for a seat; it gets a free one with the next step."""
        self._order += 1
        rank = sequence.priority if self.by_priority else 0
        heapq.heappush(self._waiting, (rank, self._order, sequence))

    def leave(self, sequence: Sequence) -> None:
        """It is complete, or nobody wants it any more: its seat is free with the next step."""
        sequence.ended = True
        if sequence in self._running:
            self._running.remove(sequence)

    def begin(self, readers: int = 1) -> Step | None:
        """Fill the seats, and say what the next step does; None when there is nothing to do."""
        seated = tuple(self._seat())
        if not self._running:
            return None
        prefilling = tuple(_pieces(self._running))
        decoding = tuple(one for one in self._running if one.prefilled >= one.prompt_tokens)
        prompt_tokens = sum(count for _, count in prefilling)
        return Step(self.speed.step(prompt_tokens, len(decoding), readers), prefilling, decoding, seated)

    def finish(self, step: Step) -> list[Sequence]:
        """Take a step as done; gives the sequences that got further, those that are complete without their seat."""
        moved = []
        for sequence, count in step.prefilling:
            sequence.prefilled += count
            if sequence.prefilled >= sequence.prompt_tokens and not sequence.ended:
                sequence.emitted = min(1, sequence.output_tokens)  # the end of a prompt gives the first token
                moved.append(sequence)
        for sequence in step.decoding:
            if not sequence.ended:
                sequence.emitted += 1
                moved.append(sequence)
        for sequence in moved:
            if sequence.done:
                self.leave(sequence)
        return moved

    def _seat(self) -> Iterator[Sequence]:
        while self._waiting and len(self._running) < self.seats:
            _, _, sequence = heapq.heappop(self._waiting)
            if not sequence.ended:
                self._running.append(sequence)
                yield sequence


def _pieces(running: Iterable[Sequence]) -> Iterable[tuple[Sequence, int]]:
    left = PREFILL_TOKENS_A_STEP
    for sequence in running:
        piece = min(left, sequence.prompt_tokens - sequence.prefilled)
        if piece > 0:
            left -= piece
            yield sequence, piece
