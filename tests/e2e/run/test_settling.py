import pytest

from e2e.run.settling import Settling

LOOKS = [
    pytest.param([(0, True), (4.9, True)], False, id="not long enough"),
    pytest.param([(0, True), (5, True)], True, id="five seconds"),
    pytest.param([(0, True), (3, False), (6, True), (10.9, True)], False, id="an interruption starts anew"),
    pytest.param([(0, False), (100, True)], False, id="the first good look starts the clock"),
]


@pytest.mark.parametrize(("looks", "want_settled"), LOOKS)
def test_settled(looks: list[tuple[float, bool]], want_settled: bool) -> None:
    settling = Settling(started=0)
    assert [settling.look(now, as_expected=good) for now, good in looks][-1] is want_settled


def test_the_limit_counts_from_the_start() -> None:
    settling = Settling(started=100)
    assert not settling.too_late(280)
    assert settling.too_late(280.1)
