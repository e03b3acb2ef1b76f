from dataclasses import dataclass

import pytest

from e2e.engine.batch import PREFILL_TOKENS_A_STEP, Batch, Sequence
from e2e.engine.speed import INSTANT, Speed


@dataclass
class Run:
    """A batch driven step by step in virtual time; notes when each sequence was complete."""

    batch: Batch
    now: float = 0.0

    def until_idle(self) -> dict[Sequence, float]:
        done: dict[Sequence, float] = {}
        while (step := self.batch.begin()) is not None:
            self.now += step.seconds
            done |= {sequence: self.now for sequence in self.batch.finish(step) if sequence.done}
        return done


def test_a_prompt_gives_the_first_token_and_each_step_one_more() -> None:
    batch = Batch(1, Speed(floor=0.01, prefill=0.001, decode=0.002))
    sequence = Sequence(prompt_tokens=10, output_tokens=4)
    batch.submit(sequence)
    assert Run(batch).until_idle()[sequence] == pytest.approx(0.01 + 10 * 0.001 + 3 * (0.01 + 0.002))
    assert sequence.emitted == 4


def test_a_long_prompt_is_read_in_pieces_beside_those_that_decode() -> None:
    batch = Batch(2, INSTANT)
    short, long = Sequence(1, 5), Sequence(3 * PREFILL_TOKENS_A_STEP, 1)
    batch.submit(short)
    batch.submit(long)
    step = batch.begin()
    assert step is not None
    assert step.prefilling == ((short, 1), (long, PREFILL_TOKENS_A_STEP - 1))
    batch.finish(step)
    step = batch.begin()
    assert step is not None
    assert (step.prefilling, step.decoding) == (((long, PREFILL_TOKENS_A_STEP),), (short,))


def test_no_more_than_the_seats_are_served_at_once() -> None:
    batch = Batch(2, INSTANT)
    for _ in range(5):
        batch.submit(Sequence(1, 3))
    most = 0
    while (step := batch.begin()) is not None:
        most = max(most, batch.running)
        assert batch.running + batch.waiting <= 5
        batch.finish(step)
    assert (most, batch.running, batch.waiting) == (2, 0, 0)


@pytest.mark.parametrize(
    ("by_priority", "want_order"),
    [
        pytest.param(True, [1, 2, 0], id="lower priority sooner"),
        pytest.param(False, [0, 1, 2], id="first come first served, whatever the priority"),
    ],
)
def test_the_order_of_those_that_wait(by_priority: bool, want_order: list[int]) -> None:
    batch = Batch(1, Speed(floor=1.0), by_priority)
    sequences = [Sequence(1, 1, priority=priority) for priority in (9, 0, 3)]
    for sequence in sequences:
        batch.submit(sequence)
    done = Run(batch).until_idle()
    assert sorted(range(3), key=lambda number: done[sequences[number]]) == want_order


def test_who_leaves_in_the_middle_of_a_step_gets_nothing_and_frees_the_seat() -> None:
    batch = Batch(1, INSTANT)
    gone, waits = Sequence(1, 100), Sequence(1, 1)
    batch.submit(gone)
    batch.submit(waits)
    step = batch.begin()
    assert step is not None
    batch.leave(gone)
    assert batch.finish(step) == []
    assert waits in Run(batch).until_idle()
    assert (gone.emitted, waits.emitted) == (0, 1)


def test_who_leaves_while_waiting_is_never_seated() -> None:
    batch = Batch(1, INSTANT)
    first, gone = Sequence(1, 1), Sequence(1, 1)
    batch.submit(first)
    batch.submit(gone)
    batch.leave(gone)
    assert batch.waiting == 1
    assert list(Run(batch).until_idle()) == [first]


def test_a_prompt_alone_is_done_once_it_is_read() -> None:
    batch = Batch(1, INSTANT)
    embedded = Sequence(5, 0)
    batch.submit(embedded)
    assert embedded in Run(batch).until_idle()


def test_tokens_held_are_those_in_seats() -> None:
    batch = Batch(1, INSTANT)
    batch.submit(Sequence(7, 3))
    step = batch.begin()
    assert step is not None
    batch.finish(step)
    assert batch.tokens == 8
    Run(batch).until_idle()
    assert batch.tokens == 0
