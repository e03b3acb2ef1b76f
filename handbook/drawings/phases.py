"""The life of a plan, drawn from its transition table."""

from typing import Final

from controller.repartition.phases import TERMINAL, TRANSITIONS, Event, Phase
from handbook.drawings.svg import Picture

_WIDE: Final = 136
_HIGH: Final = 40
#: Where each phase stands, by its upper left corner.
PLACES: Final[dict[Phase, tuple[int, int]]] = {
    Phase.PENDING: (10, 40),
    Phase.AWAITING_APPROVAL: (10, 150),
    Phase.DRAINING: (190, 40),
    Phase.QUIESCING: (370, 40),
    Phase.APPLYING: (550, 40),
    Phase.RELOADING: (550, 150),
    Phase.VERIFYING: (730, 40),
    Phase.SUCCEEDED: (730, 150),
    Phase.ROLLING_BACK: (550, 260),
    Phase.ROLLED_BACK: (730, 260),
    Phase.FAILED: (190, 260),
}
_COLOURS: Final = {
    Phase.SUCCEEDED: "green",
    Phase.ROLLED_BACK: "amber",
    Phase.FAILED: "red",
    Phase.AWAITING_APPROVAL: "violet",
    Phase.ROLLING_BACK: "amber",
}
#: Drawn by an arrow. What else the table has is in the two sentences below the picture.
DRAWN: Final = (
    (Phase.PENDING, Phase.DRAINING),
    (Phase.PENDING, Phase.AWAITING_APPROVAL),
    (Phase.AWAITING_APPROVAL, Phase.DRAINING),
    (Phase.DRAINING, Phase.QUIESCING),
    (Phase.QUIESCING, Phase.APPLYING),
    (Phase.APPLYING, Phase.RELOADING),
    (Phase.APPLYING, Phase.VERIFYING),
    (Phase.RELOADING, Phase.VERIFYING),
    (Phase.VERIFYING, Phase.SUCCEEDED),
    (Phase.RELOADING, Phase.ROLLING_BACK),
    (Phase.ROLLING_BACK, Phase.ROLLED_BACK),
    (Phase.ROLLING_BACK, Phase.FAILED),
)
_BACK: Final = frozenset({Phase.DRAINING})


def phases() -> Picture:
    """Boxes and arrows of the usual way, and sentences for the arrows that would cross everything."""
    arrows: dict[tuple[Phase, Phase], list[Event]] = {}
    for (phase, event), target in TRANSITIONS.items():
        arrows.setdefault((phase, target), []).append(event)
    told = "; ".join(f"{a} to {b} on {', '.join(events)}" for (a, b), events in arrows.items())
    picture = Picture("phases", 870, 400, "The life of a RepartitionPlan", f"{told}.")
    for phase, (x, y) in PLACES.items():
        picture.box(x, y, _WIDE, _HIGH, (str(phase),), _COLOURS.get(phase, "blue"))
    for pair in DRAWN:
        _arrow(picture, *pair, ", ".join(arrows[pair]))
    undrawn = [pair for pair in arrows if pair not in DRAWN and pair[0] != pair[1]]
    for row, (target, words) in enumerate(
        (_to(undrawn, Phase.FAILED), _to(undrawn, Phase.ROLLING_BACK), _to(undrawn, Phase.DRAINING))
    ):
        picture.text(10, 336 + row * 18, f"Also to {target}: from {words}.", size=11.5)
    rest = [pair for pair in undrawn if pair[1] not in {Phase.FAILED, Phase.ROLLING_BACK, Phase.DRAINING}]
    more = "; ".join(f"from {a} to {b} ({', '.join(arrows[a, b])})" for a, b in rest)
    picture.text(10, 336 + 3 * 18, f"And {more}. {', '.join(sorted(TERMINAL))} are ends.", size=11.5)
    return picture


def _to(pairs: list[tuple[Phase, Phase]], target: Phase) -> tuple[Phase, str]:
    return target, ", ".join(str(a) for a, b in pairs if b is target)


def _arrow(picture: Picture, a: Phase, b: Phase, says: str) -> None:
    (ax, ay), (bx, by) = PLACES[a], PLACES[b]
    if ay == by:
        right = ax < bx
        start, end = (ax + _WIDE + 1, bx - 1) if right else (ax - 1, bx + _WIDE + 1)
        picture.arrow((start, ay + _HIGH / 2), (end, by + _HIGH / 2), says=says, at=((start + end) / 2, ay - 6))
    elif ax == bx:
        x = ax + _WIDE / 2
        picture.arrow(
            (x, ay + _HIGH + 1), (x, by - 1), says=says.replace(", Expired", " ..."), at=(x + 58, (ay + by + _HIGH) / 2)
        )
    else:
        begin, finish = (ax + _WIDE / 2 + 40, ay - 1.0), (bx + _WIDE / 2 - 40, by + _HIGH + 1.0)
        picture.arrow(begin, finish, says=says, at=((begin[0] + finish[0]) / 2 + 44, (begin[1] + finish[1]) / 2 + 8))
