import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, booleans, data, integers, sampled_from

from controller.gateway.shards.residents import Residents, Takeover

SEATS = 8
TAKEOVER = Takeover(at=100.0, counted_from=101.0, gone_after=700.0)


def test_nothing_is_free_as_long_as_nothing_is_known_of_who_was_lost() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    assert residents.taken("pod", SEATS, 100.0) == SEATS
    assert residents.unsettled(["pod"], 100.0) == ["pod"]


def test_what_the_one_before_left_is_taken_and_the_rest_is_free() -> None:
    residents = Residents("me", {"before": {"pod": 3}, "earlier": {"pod": 1}}, TAKEOVER)
    assert residents.taken("pod", SEATS, 100.0) == 4
    assert residents.taken("another", SEATS, 100.0) == 0
    assert residents.needs_engine("pod", frozenset({"before"}))
    assert not residents.needs_engine("pod", frozenset({"before", "earlier"}))


def test_ours_of_an_earlier_term_are_in_our_own_books() -> None:
    assert Residents("me", {"me": {"pod": 3}}, TAKEOVER).taken("pod", SEATS, 100.0) == 0


def test_a_sender_says_exactly_what_is_left() -> None:
    residents = Residents("me", {"before": {"pod": 3}}, TAKEOVER)
    residents.tell("before", {"pod": 1}, ["pod"], 101.0)
    assert residents.taken("pod", SEATS, 101.0) == 1
    residents.tell("before", {}, ["pod"], 102.0)
    assert residents.unsettled(["pod"], 102.0) == []
    assert not residents.needs_engine("pod", frozenset())


def test_one_that_was_lost_and_wakes_speaks_for_itself() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    residents.tell("lost", {"pod": 2}, ["pod", "other"], 101.0)
    assert (residents.taken("pod", SEATS, 101.0), residents.taken("other", SEATS, 101.0)) == (2, 0)


def test_nobody_can_raise_what_it_has() -> None:
    residents = Residents("me", {"before": {"pod": 1}}, TAKEOVER)
    residents.tell("before", {"pod": 5}, ["pod"], 101.0)
    residents.tell("stranger", {"pod": 5}, ["pod"], 101.0)
    assert residents.taken("pod", SEATS, 101.0) == 1


def test_an_engine_that_was_asked_too_early_may_not_have_counted_all() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    residents.measure("pod", 0, 0, asked=100.9, now=101.2)
    assert residents.taken("pod", SEATS, 101.2) == SEATS
    residents.measure("pod", 2, 0, asked=101.0, now=101.3)
    assert residents.taken("pod", SEATS, 101.3) == 2


def test_what_is_ours_does_not_count_against_us() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    residents.measure("pod", 3, 0, asked=101.0, now=101.1)
    residents.measure("pod", 6, 4, asked=103.0, now=103.1)
    assert residents.taken("pod", SEATS, 104.0) == 2


def test_in_the_end_all_is_gone_also_at_an_engine_that_never_says() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    assert residents.taken("pod", SEATS, 699.9) == SEATS
    assert residents.taken("pod", SEATS, 700.0) == 0


def test_a_bound_that_does_not_fall_is_told_by_how_long() -> None:
    residents = Residents("me", {"lost": None}, TAKEOVER)
    assert residents.unmoved("pod", 103.0) == 3.0
    residents.measure("pod", 2, 0, asked=103.0, now=104.0)
    residents.measure("pod", 2, 0, asked=105.0, now=106.0)
    assert residents.unmoved("pod", 107.0) == 3.0


@pytest.mark.parametrize(
    ("left", "reported", "want"),
    [
        pytest.param({"a": {"pod": 3}}, None, {"a": {"pod": 3}}, id="what is known is passed on"),
        pytest.param({"a": {"pod": 3}}, 1, {"a": {"pod": 1}}, id="never more than the engine has"),
        pytest.param({"a": {"pod": 3}}, 0, {}, id="nothing left, nothing said"),
        pytest.param({"lost": None}, None, {"lost": None}, id="who is lost stays lost"),
        pytest.param({"lost": None}, 2, {"lost": {"pod": 2}}, id="but for what the engine says"),
        pytest.param({"lost": None, "a": {"pod": 1}}, None, {"lost": None, "a": {"pod": 1}}, id="each for itself"),
        pytest.param({"a": {"gone": 3}}, None, {}, id="an endpoint that is gone is forgotten"),
    ],
)
def test_what_the_next_one_is_told(
    left: dict[str, dict[str, int] | None], reported: int | None, want: dict[str, dict[str, int] | None]
) -> None:
    residents = Residents("me", left, TAKEOVER)
    if reported is not None:
        residents.measure("pod", reported, 0, asked=102.0, now=102.1)
    assert residents.left({"pod": SEATS}, 103.0) == want


@given(data())
def test_never_fewer_than_there_are_whatever_is_heard_in_whatever_order(data: DataObject) -> None:
    """Others' requests only end; every answer is of some moment between the takeover and now, and may come late."""
    really = {sender: data.draw(integers(0, 4), label=f"of {sender}") for sender in ("a", "b", "lost")}
    ours = settled = 0
    residents = Residents("me", {"a": {"pod": really["a"]}, "b": {"pod": really["b"] + 1}, "lost": None}, TAKEOVER)
    now = 101.0
    late: list[tuple[str, int]] = []
    for _ in range(data.draw(integers(1, 25))):
        now += 0.5
        what = data.draw(sampled_from(["end", "dispatch", "settle", "ask", "answer", "measure", "hand over"]))
        sender = data.draw(sampled_from(sorted(really)))
        if what == "end":
            really[sender] = max(0, really[sender] - 1)
        elif what == "dispatch" and ours + residents.taken("pod", SEATS, now) < SEATS:
            ours += 1
        elif what == "settle":
            settled = ours
        elif what == "ask":
            late.append((sender, really[sender]))
        elif what == "answer" and late:
            told = late.pop(data.draw(integers(0, len(late) - 1)))
            residents.tell(told[0], {"pod": told[1]}, ["pod"], now)
        elif what == "measure":
            # The engine has surely counted those of ours that are settled; of later ones it may have any number.
            uncounted = data.draw(integers(0, ours - settled))
            residents.measure("pod", sum(really.values()) + ours - uncounted, settled, asked=now, now=now)
        elif what == "hand over":
            left = residents.left({"pod": SEATS}, now)
            if data.draw(booleans(), label="to somebody else and back"):
                residents, ours, settled = Residents("me", left, TAKEOVER), 0, 0
        assert residents.taken("pod", SEATS, now) >= min(SEATS, sum(really.values()))
        assert ours + sum(really.values()) <= max(SEATS, sum(really.values()))
