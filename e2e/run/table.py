"""The live table: every partition that somebody holds, free ones counted, and below it what waits and why. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from api.quantity import parse_quantity
from e2e.run.services import Service, Standing
from e2e.run.world import Object, World, claim_key, held_partitions, lives, ready, status_of

Row = tuple[str, str, str, str, str, str, str]
Claims = dict[tuple[str, str, int], Object]

_BAR_CELLS = 10
_STYLES = {"Ready": "green", "Bound": "yellow", "Allocated": "yellow"}


def view(world: World, found: Sequence[Service], seconds: float) -> RenderableType:
    """The whole screen, `seconds` after the examples were applied."""
    table = Table(title=title(world, found, seconds), title_justify="left", title_style="bold", header_style="bold")
    for heading in ("NODE", "GPU", "MODE", "PART", "MODEL", "SHARE OF MEMORY", "STATE"):
        table.add_column(heading, no_wrap=heading != "STATE")
    for node in sorted(world.gpu_nodes, key=lambda node: str(node["metadata"]["name"])):
        for row in rows(node, world):
            table.add_row(*row[:-1], Text(row[-1], _STYLES.get(row[-1], "dim" if "free" in row[-1] else "")))
        table.add_section()
    return Group(table, *waiting(found))


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
    pods = {claim_key(pod): pod for pod in world.pods if lives(pod)}
    idle: Counter[tuple[str, int]] = Counter()
    for gpu in status.get("gpus") or ():
        held = [part for part in gpu.get("partitions") or () if _taken(name, gpu, part, claims)]
        if not held:
            idle[gpu.get("mode", "?"), len(gpu.get("partitions") or ())] += 1
            continue
        for part in held:
            claim = claims.get((name, gpu["bdf"], part["id"]))
            yield (name, gpu["bdf"], gpu.get("mode", "?"), str(part["id"]), *_holder(claim, part, pods))
        free = len(gpu["partitions"]) - len(held)
        if free:
            yield name, gpu["bdf"], gpu.get("mode", "?"), "", "", "", f"{free} free"
    for (mode, parts), gpus in sorted(idle.items()):
        yield name, f"{gpus} GPUs" if gpus > 1 else "1 GPU", mode, "", "", "", f"{gpus * parts} free"
    yield from _operation(name, status)


def _taken(node: str, gpu: Object, part: Object, claims: Claims) -> bool:
    return (node, gpu["bdf"], part["id"]) in claims or part.get("holder", "free") == "foreign"


def _holder(claim: Object | None, part: Object, pods: dict[str | None, Object]) -> tuple[str, str, str]:
    """Model, share of memory and state of a held partition."""
    if claim is None:
        return "(not managed here)", "", "foreign"
    metadata = claim["metadata"]
    pod = pods.get(f"{metadata['namespace']}/{metadata['name']}")
    state = "Ready" if pod is not None and ready(pod) else str(status_of(claim)["phase"])
    model = (claim["spec"].get("model") or {}).get("id", "?")
    return str(model), share(claim, part["bytes"]), state


def share(claim: Object, partition_bytes: int) -> str:
    """How much of a partition its model needs, as a bar and in percent; empty when either is not known."""
    memory = claim["spec"]["requirement"].get("memory")
    if not memory or not partition_bytes:
        return ""
    part = parse_quantity(memory) / partition_bytes
    filled = min(_BAR_CELLS, round(part * _BAR_CELLS))
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {part:4.0%} of {partition_bytes / 2**30:.0f} GiB"


def _operation(name: str, status: Object) -> Iterator[Row]:
    operation = status.get("operation") or {}
    if operation.get("phase") in ("Pending", "Running"):
        state = f"changing modes: {operation.get('step') or 'begins'} {operation.get('progressPercent', 0)}%"
        yield name, "", "", "", "", "", state


def waiting(found: Iterable[Service]) -> list[RenderableType]:
    """A line for each service that does not run, with the reason."""
    lines: list[RenderableType] = []
    for service in found:
        if service.standing is not Standing.RUNNING:
            color = "red" if service.standing is Standing.REFUSED else "yellow"
            lines.append(
                Text.assemble((service.key, "bold"), " waits: ", (service.reason, color), f" {service.message}")
            )
    return lines
