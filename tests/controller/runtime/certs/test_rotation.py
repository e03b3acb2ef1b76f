"""What is due when, and in which order."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.runtime.certs.rotation import Action, Held, RotationPolicy, Term, due

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLICY = RotationPolicy(authority_lifetime=360 * DAY, leaf_lifetime=30 * DAY, settle=HOUR)
# A certificate's own word of when it was made may be a second early.
KNOWN = 2 * HOUR + timedelta(seconds=1)


def authority(age: timedelta) -> Term:
    return Term(NOW - age, NOW - age + 360 * DAY)


def leaf(age: timedelta) -> Term:
    return Term(NOW - age, NOW - age + 30 * DAY)


def held(**more: object) -> Held:
    """Nothing is due: everything is a day old."""
    usual: dict[str, object] = {"signer": authority(DAY), "can_sign": True, "leaf": leaf(DAY)}
    return Held(**{**usual, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(Held(), Action.MAKE_AUTHORITY, id="nothing is held"),
        pytest.param(held(leaf=None), Action.ISSUE_LEAF, id="an authority without a leaf"),
        pytest.param(held(), None, id="all is young"),
        pytest.param(held(leaf=leaf(20 * DAY - HOUR)), None, id="the leaf is almost at two thirds of its life"),
        pytest.param(held(leaf=leaf(20 * DAY)), Action.ISSUE_LEAF, id="the leaf is at two thirds of its life"),
        pytest.param(held(leaf=leaf(31 * DAY)), Action.ISSUE_LEAF, id="the leaf ended"),
        pytest.param(held(signer=authority(240 * DAY - HOUR)), None, id="the authority is almost at two thirds"),
        pytest.param(held(signer=authority(240 * DAY)), Action.ADD_AUTHORITY, id="the authority is at two thirds"),
        pytest.param(
            held(signer=authority(240 * DAY), upcoming=authority(2 * HOUR)),
            None,
            id="the new authority is not known to all",
        ),
        pytest.param(
            held(signer=authority(240 * DAY), upcoming=authority(KNOWN)),
            Action.SWITCH_AUTHORITY,
            id="the new authority is known to all",
        ),
        pytest.param(
            held(signer=authority(240 * DAY), upcoming=authority(DAY), published=False),
            None,
            id="clients are not told of the new authority",
        ),
        pytest.param(
            held(signer=authority(361 * DAY), upcoming=authority(DAY), published=False),
            Action.SWITCH_AUTHORITY,
            id="the authority ended, and clients are not told of the new one",
        ),
        pytest.param(
            held(signer=authority(240 * DAY), upcoming=authority(HOUR), leaf=leaf(20 * DAY)),
            Action.ISSUE_LEAF,
            id="the leaf is due while the new authority is not known to all",
        ),
        pytest.param(held(retired=1, leaf=leaf(2 * HOUR)), None, id="an old leaf may still be shown"),
        pytest.param(held(retired=1, leaf=leaf(KNOWN)), Action.DROP_RETIRED, id="no old leaf is shown any more"),
        pytest.param(held(signer=authority(361 * DAY)), Action.MAKE_AUTHORITY, id="the authority ended"),
        pytest.param(
            held(signer=authority(361 * DAY), upcoming=authority(HOUR)),
            Action.SWITCH_AUTHORITY,
            id="the authority ended and the new one waits",
        ),
        pytest.param(
            held(signer=authority(721 * DAY), upcoming=authority(361 * DAY)),
            Action.MAKE_AUTHORITY,
            id="both authorities ended",
        ),
        pytest.param(
            held(signer=authority(-HOUR), leaf=leaf(-HOUR)),
            Action.MAKE_AUTHORITY,
            id="both were made by a clock that is an hour ahead",
        ),
        pytest.param(
            held(signer=authority(-timedelta(minutes=4)), leaf=leaf(-timedelta(minutes=4))),
            None,
            id="both were made by a clock that is a little ahead",
        ),
        pytest.param(
            held(signer=authority(-HOUR), upcoming=authority(HOUR)),
            Action.SWITCH_AUTHORITY,
            id="the authority was made by a clock that is ahead, and a new one waits",
        ),
        pytest.param(
            held(signer=authority(361 * DAY), upcoming=authority(-HOUR)),
            Action.MAKE_AUTHORITY,
            id="the authority ended, and the new one was made by a clock that is ahead",
        ),
        pytest.param(
            held(leaf=leaf(-HOUR)), Action.ISSUE_LEAF, id="the leaf was made by a clock that is an hour ahead"
        ),
        pytest.param(held(can_sign=False), Action.ADD_AUTHORITY, id="the key was taken away"),
        pytest.param(
            held(can_sign=False, upcoming=authority(HOUR)), None, id="the key was taken away and the new one waits"
        ),
        pytest.param(
            held(can_sign=False, leaf=leaf(25 * DAY), upcoming=authority(HOUR)),
            None,
            id="an ageing leaf waits for the new authority where the old one cannot sign",
        ),
        pytest.param(
            held(can_sign=False, leaf=None), Action.MAKE_AUTHORITY, id="no leaf, and nobody who could sign one"
        ),
        pytest.param(
            held(can_sign=False, leaf=None, upcoming=authority(HOUR)),
            Action.SWITCH_AUTHORITY,
            id="no leaf, and only the new authority can sign one",
        ),
    ],
)
def test_the_next_step(found: Held, want: Action | None) -> None:
    step = due(found, NOW, POLICY)
    assert (step.action if step else None) == want
    assert step is None or step.reason


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param({"settle": timedelta(0)}, "settle", id="no time to settle"),
        pytest.param(
            {"leaf_lifetime": 11 * HOUR}, "leaf_lifetime", id="a leaf that ends before its successor is known"
        ),
        pytest.param(
            {"authority_lifetime": 90 * DAY}, "authority_lifetime", id="an authority too short for its leaves"
        ),
    ],
)
def test_lifetimes_that_cannot_work_are_refused(given: dict[str, timedelta], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        RotationPolicy(**given)
