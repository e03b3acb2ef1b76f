"""The scenes of the golden texts of the verbs that have tables: top, drain, size, inventory, approve, plan on paper.

``python -m tests.controller.cli.golden`` writes tests/data/cli/ anew, and the texts of the other scenes; look at the
difference.
"""

import io
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from api.v1beta1 import RepartitionPlan
from controller.cli import output, size
from controller.cli.documents import parse_documents
from controller.cli.drain_plan import drain_of
from controller.cli.drain_view import page as drain_page
from controller.cli.drain_view import summary as drain_summary
from controller.cli.inventory import GpuRow, PartitionRow, _table, _wide_table
from controller.cli.live_budgets import budget_of
from controller.cli.live_cluster import Live
from controller.cli.offline_nodes import default_nodes
from controller.cli.offline_plan import expect
from controller.cli.offline_plan_view import page as plan_page
from controller.cli.plan_view import show, view_of
from controller.cli.top_fleet import Use
from controller.cli.top_screen import page as screen
from controller.cli.top_view import Level, lines
from controller.cli.top_view import texts as texts_of
from controller.cli.wanted import gather
from controller.gpu.mode import ComputeMode, MemoryMode
from controller.placement.scheduler import ModelScheduler
from controller.runtime.cache.informer import Informer
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.resource import Resource
from controller.sizing.catalog import Catalog
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from controller.state.models import Models
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf
from tests.controller.cli.explain_scenes import FILES, SIZING, WIDTHS
from tests.controller.cli.fleet_scene import budget, fleet, objects, plan

GOLDEN: Final = Path(__file__).parents[2] / "data" / "cli"
USES: Final = {("gpu-a", bdf(0), 0): Use(150 << 30, 0.875), ("gpu-a", bdf(1), 0): Use(12 << 30, 0.25)}

Scene = Callable[[int], str]


def drawn(shown: object, width: int) -> str:
    """What rich draws of it on so many columns, without what stands at the ends of lines."""
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def top(width: int) -> str:
    return "".join(f"{line}\n" for line in texts_of(lines(fleet(USES), Level.PARTITION), width))


def top_wide(width: int) -> str:
    return "".join(f"{line}\n" for line in texts_of(lines(fleet(USES), Level.PARTITION), width, wide=True))


def top_screen(width: int) -> str:
    """A terminal that has room for GPUs alone."""
    return drawn(screen(fleet(USES), None, (width, 12), "12:00:00, Ctrl-C ends it"), width)


def fed() -> FedCluster:
    """The fleet as informers have it."""
    found = FedCluster()
    cluster = found.cluster
    informers: dict[Resource, Informer[Any]] = {
        NODES: cluster.nodes,
        PODS: cluster.pods,
        GPU_NODES: cluster.gpu_nodes,
        GPU_PARTITION_CLAIMS: cluster.claims,
        GPU_SHARING_POLICIES: cluster.policies,
    }
    for resource, obj in objects():
        if resource in informers:
            found.put(
                informers[resource], {**obj, "metadata": {"uid": f"uid-{obj['metadata']['name']}"} | obj["metadata"]}
            )
    for node in ("gpu-a", "gpu-b"):
        found.beat(node)
        found.beat(node)
    return found


def drain(width: int) -> str:
    live = replace(Live(fed().cluster, SIZING), budgets=(budget_of(budget("chat", allowed=0)),))
    found = drain_of(live, "gpu-a", ModelScheduler.by_policy())
    assert found is not None
    return f"{drain_page(found, width)}{drain_summary(found)}\n"


def told(run: Callable[[], object]) -> str:
    stream = io.StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        run()
    return stream.getvalue()


def sized(_: int) -> str:
    return told(lambda: size.run(["Qwen/Qwen3-8B", "--gpu", "MI300X"]))


def sized_wide(_: int) -> str:
    return told(lambda: size.run(["Qwen/Qwen3-8B", "--gpu", "MI300X", "-o", "wide"]))


ROW: Final = GpuRow(
    bdf(0), "MI300X", 206141652992, ComputeMode.DPX, MemoryMode.NPS1,
    (PartitionRow(0, 128, 103070826496, 152), PartitionRow(1, 129, None, None)), 0, hive=3,
)  # fmt: skip


def inventory(width: int) -> str:
    return off_a_terminal(width, lambda: output.print_rows(*_table([ROW])))


def inventory_wide(width: int) -> str:
    return off_a_terminal(width, lambda: output.print_rows(*_wide_table([ROW])))


def on_paper(width: int) -> str:
    wanted = gather(list(parse_documents(Path("given.yaml"), FILES)))
    return plan_page(expect(wanted, default_nodes(), Models(Catalog.bundled(), ())), width) + "\n"


def approved(width: int) -> str:
    return off_a_terminal(width, lambda: show(view_of(RepartitionPlan.model_validate(plan()))))


def off_a_terminal(width: int, write: Callable[[], None]) -> str:
    """What is told where lines may be so wide."""
    before, output.NOT_A_TERMINAL = output.NOT_A_TERMINAL, width  # type: ignore[misc]
    try:
        return told(write)
    finally:
        output.NOT_A_TERMINAL = before  # type: ignore[misc]


SCENES: Final[Mapping[str, Scene]] = {
    "top": top,
    "top-wide": top_wide,
    "top-screen": top_screen,
    "drain": drain,
    "size": sized,
    "size-wide": sized_wide,
    "inventory": inventory,
    "inventory-wide": inventory_wide,
    "plan-on-paper": on_paper,
    "approve": approved,
}
#: What is as wide as it is, however wide the terminal: `wide` is not folded, and sizes have a table of their own.
AS_WIDE_AS_IT_IS: Final = frozenset({"top-wide", "size", "size-wide", "inventory-wide"})


def texts() -> Mapping[str, str]:
    """Every golden text by its file's name."""
    return {f"{name}-{width}.txt": scene(width) for name, scene in SCENES.items() for width in WIDTHS}


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (GOLDEN / name).write_text(text, encoding="utf-8")
