"""The fleet on a terminal, drawn anew now and then. The terminal is left as it was, however it ends."""

from collections.abc import Awaitable, Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from controller.cli.top_fleet import Fleet
from controller.cli.top_view import Level, fitting, level_for, lines, summary, texts
from controller.runtime.clock import Clock


async def live(
    look: Callable[[], Awaitable[Fleet]], clock: Clock, interval: float, by: Level | None, *, wide: bool
) -> None:
    """Draw the fleet every `interval` seconds, on a screen of its own, until it is cancelled."""
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False, redirect_stderr=True) as screen:
        while True:
            fleet = await look()
            now = clock.now().astimezone().strftime("%H:%M:%S")
            screen.update(
                page(fleet, by, (console.width, console.height), f"{now}, Ctrl-C ends it", wide=wide), refresh=True
            )
            await clock.sleep(interval)


def page(fleet: Fleet, by: Level | None, size: tuple[int, int], footer: str, *, wide: bool = False) -> Group:
    """What is drawn on a screen of so many columns and lines."""
    width, height = size
    level = by or level_for(fleet, height)
    shown, left_out = fitting(lines(fleet, level), height, len(fleet.notes))
    more = f"; {left_out} more lines: name nodes, or --by node" if left_out else ""
    head, *rows = texts(shown, width, wide=wide)
    below = [*fleet.notes, f"{summary(fleet)}{more}", footer]
    plain = (Text(line, no_wrap=True, overflow="ellipsis") for line in (*rows, *below))
    return Group(Text(head, "bold", no_wrap=True, overflow="ellipsis"), *plain)
