"""The live table: every partition that somebody holds, free ones counted, and below it what waits and why. Pure.

On a terminal it is cut to the terminal's height: what is taller cannot be redrawn in place, and the reasons below it
matter more than its last rows. On a narrow one it says less a row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from api.quantity import parse_quantity
from e2e.run.services import Service, Standing
from e2e.run.world import (
    KSERVE_LABEL,
    MODEL_ID,
    Object,
    World,
    claim_key,
    held_partitions,
    key_of,
    label,
    lives,
    ready,
    status_of,
)

HEADINGS = ("NODE", "GPU", "MODE", "PART", "MODEL", "BACKEND", "SHARE OF MEMORY", "STATE")
Row = tuple[str, str, str, str, str, str, str, str]
Claims = dict[tuple[str, str, int], Object]
Pods = dict[str | None, list[Object]]
"""Those that live, by the claim that they name."""

_BAR_CELLS = 10
_WIDE = 138
"""Columns of a terminal from which on bars, borders and whole names have room."""

_STYLES = {"Ready": "green", "Bound": "yellow", "Allocated": "yellow"}


@dataclass(frozen=True, slots=True)
class View:
    """The whole screen: a title, rows, and lines on what waits. Renders itself into the size of a terminal."""

    title: str
    rows: Sequence[Row]
    waiting: Sequence[RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = len(self.rows)
        # A row may take several lines, and fewer rows narrower columns: what is left out is counted anew each time.
        while shown and console.is_terminal:
            surplus = self._lines(shown, console, options) - console.size.height + 1
            if surplus <= 0:
                break
            shown = max(0, shown - surplus)
        yield self._first(shown, options.max_width)

    def _lines(self, shown: int, console: Console, options: ConsoleOptions) -> int:
        return len(console.render_lines(self._first(shown, options.max_width), options.update(height=None), pad=False))

    def _first(self, shown: int, width: int) -> Group:
        left = len(self.rows) - shown
        more = [Text(f"... and {left} more rows: make the terminal higher to see them", "dim")] if left else []
        return Group(Text(self.title, "bold"), _table(self.rows[:shown], wide=width >= _WIDE), *more, *self.waiting)


def view(world: World, found: Sequence[Service], seconds: float, below: Sequence[RenderableType] = ()) -> View:
    """The whole screen, `seconds` after the examples were applied. `below`: what else there is to show."""
    nodes = sorted(world.gpu_nodes, key=lambda node: str(node["metadata"]["name"]))
    shown = [row for node in nodes for row in rows(node, world)]
    return View(title(world, found, seconds), shown, [*waiting(found), *below])


def _table(shown: Sequence[Row], *, wide: bool) -> Table:
    table = Table(header_style="bold", box=box.HEAVY_HEAD if wide else box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = not wide, wide
    for heading in HEADINGS if wide else (heading for heading in HEADINGS if heading != "BACKEND"):
        table.add_column(heading if wide else heading.removesuffix(" OF MEMORY"), overflow="ellipsis")
        table.columns[-1].no_wrap = heading not in ("MODEL", "STATE")
    for index, row in enumerate(shown):
        if index and row[0] != shown[index - 1][0]:
            table.add_section()
        *cells, state = row if wide else _short(row)
        table.add_row(*cells, Text(state, _STYLES.get(state, "dim" if "free" in state else "")))
    return table


def _short(row: Row) -> tuple[str, ...]:
    """The model without its owner, no backend, the share without its bar."""
    node, gpu, mode, partition, model, _, part, state = row
    return node, gpu, mode, partition, model.rpartition("/")[2], part.lstrip("█░ "), state


def title(world: World, found: Sequence[Service], seconds: float) -> str:
    """How many of what, in one line; says that GPUs are simulated."""
    standings = Counter(service.standing for service in found)
    gpus = sum(len(status_of(node).get("gpus") or ()) for node in world.gpu_nodes)
    return (
        f"{len(world.gpu_nodes)} nodes, {gpus} simulated GPUs · {standings[Standing.RUNNING]} services run, "
        f"{standings[Standing.REFUSED]} refused, {standings[Standing.MOVING]} on their way · {seconds:.0f} s"
    )


def rows(node: Object, world: World) -> Iterator[Row]:
    """The rows of one node: held partitions one by one, GPUs with nobody on them together."""
    name, status = str(node["metadata"]["name"]), status_of(node)
    claims: Claims = {held: claim for claim in world.claims for held in held_partitions(claim)}
    pods: Pods = {}
    for pod in filter(lives, world.pods):
        pods.setdefault(claim_key(pod), []).append(pod)
    idle: Counter[tuple[str, int]] = Counter()
    for gpu in status.get("gpus") or ():
        held = [part for part in gpu.get("partitions") or () if _taken(name, gpu, part, claims)]
        if not held:
            idle[gpu.get("mode", "?"), len(gpu.get("partitions") or ())] += 1
            continue
        for part in held:
            claim = claims.get((name, gpu["bdf"], part["id"]))
            for holder in _holders(claim, part, pods):
                yield (name, gpu["bdf"], gpu.get("mode", "?"), str(part["id"]), *holder)
        free = len(gpu["partitions"]) - len(held)
        if free:
            yield name, gpu["bdf"], gpu.get("mode", "?"), "", "", "", "", f"{free} free"
    for (mode, parts), gpus in sorted(idle.items()):
        yield name, f"{gpus} GPUs" if gpus > 1 else "1 GPU", mode, "", "", "", "", f"{gpus * parts} free"
    yield from _operation(name, status)


def _taken(node: str, gpu: Object, part: Object, claims: Claims) -> bool:
    return (node, gpu["bdf"], part["id"]) in claims or part.get("holder", "free") == "foreign"


def _holders(claim: Object | None, part: Object, pods: Pods) -> Iterator[tuple[str, str, str, str]]:
    """Model, backend, share of memory and state of who holds a partition: one, or the members of a share group."""
    if claim is None:
        yield "(not managed here)", "", "", "foreign"
        return
    there = pods.get(key_of(claim), ())
    phase, size = str(status_of(claim)["phase"]), part["bytes"]
    if claim["spec"].get("shareGroup"):
        shares = {share["pod"]["uid"]: share["bytes"] for share in status_of(claim).get("shares") or ()}
        for pod in there:
            model = (pod["metadata"].get("annotations") or {}).get(MODEL_ID, "?")
            yield model, backend(pod), bar(shares.get(pod["metadata"]["uid"], 0), size), _state(pod, phase)
        return
    alone = there[0] if there else None
    model = (claim["spec"].get("model") or {}).get("id", "?")
    needed = parse_quantity(claim["spec"]["requirement"].get("memory") or "0")
    yield str(model), backend(alone), bar(needed, size), _state(alone, phase)


def _state(pod: Object | None, phase: str) -> str:
    return "Ready" if pod is not None and ready(pod) else phase


def backend(pod: Object | None) -> str:
    """What made a pod, as its labels say; empty without one."""
    if pod is None:
        return ""
    return "KServe" if label(pod, KSERVE_LABEL) else "Deployment"


def bar(needed_bytes: float, partition_bytes: int) -> str:
    """How much of a partition its model needs, as a bar and in percent; empty when either is not known, 0."""
    if not needed_bytes or not partition_bytes:
        return ""
    part = needed_bytes / partition_bytes
    filled = min(_BAR_CELLS, round(part * _BAR_CELLS))
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {part:4.0%} of {partition_bytes / 2**30:.0f} GiB"


def _operation(name: str, status: Object) -> Iterator[Row]:
    operation = status.get("operation") or {}
    if operation.get("phase") in ("Pending", "Running"):
        state = f"changing modes: {operation.get('step') or 'begins'} {operation.get('progressPercent', 0)}%"
        yield name, "", "", "", "", "", "", state


def waiting(found: Iterable[Service]) -> list[RenderableType]:
    """A line for each service that does not run, with the reason."""
    lines: list[RenderableType] = []
    for service in found:
        if service.standing is not Standing.RUNNING:
            color = "red" if service.standing is Standing.REFUSED else "yellow"
            lines.append(
                Text.assemble((service.key, "bold"), " waits: ", (service.reason, color), f": {service.message}")
            )
    return lines
