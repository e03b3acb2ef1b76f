"""What the live screen shows of requests: a line a service, and how the flooded neighbour fares. Pure."""

from collections.abc import Iterable, Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from e2e.run.traffic.judgement import Judgement, Roles
from e2e.run.traffic.latencies import Figures

HEADINGS = ("SERVICE", "ASKED", "ANSWERS/S", "FIRST TOKEN p50", "p99", "WHOLE p50", "p99", "REFUSED")


def live(
    figures: Iterable[Figures], roles: Roles | None, judgement: Judgement | None, *, flooding: bool
) -> list[RenderableType]:
    """The table, and the lines below it; nothing before the first request."""
    rows = [_row(one) for one in figures]
    if not rows:
        return []
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number in (0, len(HEADINGS) - 1) else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    return [table, *_scene(roles, judgement, flooding=flooding)]


def _row(one: Figures) -> tuple[str, ...]:
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(one.refused.items()))
    times = (one.first_p50_ms, one.first_p99_ms, one.whole_p50_ms, one.whole_p99_ms)
    return one.service, str(one.waiting), f"{one.rate:.1f}", *map(_time, times), refused


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.0f} s"


def _scene(roles: Roles | None, judgement: Judgement | None, *, flooding: bool) -> Iterator[Text]:
    if roles is None:
        return
    if flooding:
        yield Text(
            f"{roles.flooded} is flooded now; {roles.neighbour}, on the same partition, is promised {roles.minimum} "
            f"requests at once",
            "yellow",
        )
    if judgement is not None:
        yield Text(told(roles, judgement), "red" if judgement.problems else "green")


def told(roles: Roles, found: Judgement) -> str:
    """A judgement in a sentence."""
    if found.problems:
        return f"guarantees did not hold while {roles.flooded} was flooded: {'; '.join(found.problems)}"
    return (
        f"guarantees held while {roles.flooded} was flooded, by the engines' record: {roles.neighbour} waited "
        f"{found.wait_p99_ms:.0f} ms (p99; {found.calm_wait_p99_ms:.0f} ms without the flood, "
        f"{found.wait_bound_ms:.0f} ms more may be) and had {found.kept:.1f} of {roles.minimum} promised requests in "
        f"flight; {roles.flooded} had {found.most_flooded} alone, both {found.most_together} of {roles.seats}; "
        f"{found.left_over} were refused"
    )
