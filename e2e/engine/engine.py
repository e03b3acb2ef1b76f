"""One engine at work: takes what was asked, runs its batch step by step, lets answers know of their tokens.

engine = Engine(settings, record, neighbours, clock)
tasks.create_task(engine.run())
async with engine.serve(asked, "request-1") as answer:
    last = False
    while not last:
        first, count, last = await answer.more()
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.runtime.clock import Clock
from e2e.engine.batch import Batch, Sequence
from e2e.engine.metrics import Metrics
from e2e.engine.openai import Asked, BadRequest
from e2e.engine.record import Record
from e2e.engine.settings import EngineSettings


@dataclass(slots=True)
class Neighbours:
    """Engines of one partition: those that work now share its memory's rate."""

    busy: int = 0


@dataclass(slots=True, eq=False)
class Answer:
    """An answer being made: its tokens as they come, those of several choices together.

    `started`, `seated` and `first_token` are monotonic seconds, None before it was.
    """

    asked: Asked
    request: str
    sequences: tuple[Sequence, ...]
    started: float
    seated: float | None = None
    first_token: float | None = None
    taken: int = 0
    recorded: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def more(self) -> tuple[int, int, bool]:
        """Number of the first new token, how many there are, and whether they are the last: all since the last call.

        (0, 0, True) for an answer that has no tokens.
        """
        await self._moved.wait()
        self._moved.clear()
        first, self.taken = self.taken, min(sequence.emitted for sequence in self.sequences)
        return first, self.taken - first, all(sequence.done for sequence in self.sequences)

    def moved(self) -> None:
        """There is more."""
        self._moved.set()


class Engine:
    """An engine's inside. `run` belongs to a task of the caller's; everything happens on its event loop."""

    def __init__(self, settings: EngineSettings, record: Record, neighbours: Neighbours, clock: Clock) -> None:
        self.settings = settings
        self.metrics = Metrics(settings)
        self.most_tokens = 0
        self._record = record
        self._neighbours = neighbours
        self._clock = clock
        self._batch = Batch(settings.seats, settings.speed, settings.by_priority)
        self._answers: dict[Sequence, Answer] = {}
        self._work = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that were accepted and are not over."""
        return self._record.in_flight

    async def run(self) -> None:
        """Make answers until cancelled."""
        while True:
            if not self._batch.running and not self._batch.waiting:
                self._work.clear()
                await self._work.wait()
            await self._step()

    def require(self, asked: Asked) -> None:
        """Raise BadRequest for what this engine does not serve."""
        settings = self.settings
        if asked.model not in settings.answers_to:
            raise BadRequest(f"The model `{asked.model}` does not exist.", 404, "NotFoundError")
        longest = asked.prompt_tokens + asked.output_tokens
        if longest > settings.max_model_len:
            raise BadRequest(
                f"{asked.prompt_tokens} tokens of prompt and {asked.output_tokens} of answer are {longest}, "
                f"the model has {settings.max_model_len}: ask for fewer"
            )
        if asked.priority and not settings.by_priority:
            raise BadRequest(f"Got priority {asked.priority} but priority scheduling is not enabled.")

    @asynccontextmanager
    async def serve(self, asked: Asked, request: str) -> AsyncIterator[Answer]:
        """An answer that is made while the block lasts: leaving it before the end gives its seat back."""
        self.require(asked)
        sequences = tuple(
            Sequence(asked.prompt_tokens, asked.output_tokens, asked.priority) for _ in range(asked.sequences)
        )
        answer = Answer(asked, request, sequences, self._clock.monotonic())
        self._record.begin(request, asked.priority, asked.sequences)
        for sequence in sequences:
            self._answers[sequence] = answer
            self._batch.submit(sequence)
        self._work.set()
        self.show()
        try:
            yield answer
        finally:
            for sequence in sequences:
                del self._answers[sequence]
                self._batch.leave(sequence)
            if not answer.recorded:
                self._record.end(request, asked.priority, asked.sequences, gone=True)
                self.metrics.finished["abort"].inc()
            self.show()

    def complete(self, answer: Answer) -> None:
        """To be told before the last byte of an answer is sent."""
        answer.recorded = True
        self._record.end(answer.request, answer.asked.priority, answer.asked.sequences)
        self.metrics.finished["length"].inc()
        now = self._clock.monotonic()
        self.metrics.whole.observe(now - answer.started)
        if answer.seated is not None:
            self.metrics.waited.observe(answer.seated - answer.started)
        if answer.first_token is not None:
            more = answer.asked.output_tokens - 1
            self.metrics.each_token.observe((now - answer.first_token) / more if more else 0.0)

    def show(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.running.set(self._batch.running)
        self.metrics.waiting.set(self._batch.waiting)
        self.metrics.filled.set(self.settings.memory.filled(self._batch.tokens))

    async def _step(self) -> None:
        self._neighbours.busy += 1
        try:
            step = self._batch.begin(self._neighbours.busy)
            if step is None:
                return
            for sequence in step.seated:
                self._answers[sequence].seated = self._clock.monotonic()
            await self._clock.sleep(step.seconds)
        finally:
            self._neighbours.busy -= 1
        self.metrics.prompt_tokens.inc(sum(count for _, count in step.prefilling))
        held = self._batch.tokens + sum(count for _, count in step.prefilling) + len(step.decoding)
        self.most_tokens = max(self.most_tokens, held)
        for sequence in self._batch.finish(step):
            if sequence.emitted:
                self.metrics.made_tokens.inc()
            if sequence.emitted == 1 and sequence in self._answers:
                answer = self._answers[sequence]
                answer.first_token = self._clock.monotonic()
                self.metrics.first_token.observe(answer.first_token - answer.started)
            if sequence in self._answers:
                self._answers[sequence].moved()
        self.show()
