import io

import pytest

from e2e.plane.progress import Progress, duration


class ManualTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_plain_line_appears_every_fifteen_seconds() -> None:
    clock, stream = ManualTime(), io.StringIO()

    with Progress(stream, clock=clock).step(2, 5, "building kwok", 55) as step:
        for _ in range(40):
            clock.now += 1
            step.tick("go: downloading something")

    assert stream.getvalue().splitlines() == [
        "[2/5] building kwok (usually 55s)",
        "[2/5] building kwok: 15s of usually 55s  go: downloading something",
        "[2/5] building kwok: 30s of usually 55s  go: downloading something",
        "[2/5] building kwok: done in 40s",
    ]


def test_on_a_terminal_one_line_is_rewritten() -> None:
    clock, stream = ManualTime(), io.StringIO()

    with Progress(stream, live=True, clock=clock).step(1, 1, "building") as step:
        for _ in range(3):
            clock.now += 1
            step.tick()

    assert stream.getvalue().count("\n") == 1
    assert "\r\x1b[K[1/1] building: 2s\r" in stream.getvalue()


@pytest.mark.parametrize(("seconds", "want"), [(0.4, "0s"), (59, "59s"), (125, "2m05s")], ids=["0s", "59s", "2m05s"])
def test_durations_read_as_people_say_them(seconds: float, want: str) -> None:
    assert duration(seconds) == want
