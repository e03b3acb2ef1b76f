"""One run on real nodes: plane, image, install, operator and agents as pods; then a look as `e2e.run` has it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from controller.cli.offline_nodes import OfflineNode, default_nodes
from e2e.image import BuiltImage, ImageError, build_image
from e2e.image.build import require_builder
from e2e.node_run import workloads
from e2e.node_run.models import small
from e2e.plane import Plane, Progress, kserve_wanted, wanted_families
from e2e.plane.build import Binaries
from e2e.plane.node import RealNode
from e2e.plane.node.preflight import check as check_for_nodes
from e2e.plane.programs import NODE_FAMILIES, Family
from e2e.run.errors import RunError
from e2e.run.expectation import Expectation, expectation
from e2e.run.install import CRD_FILES, install
from e2e.run.processes import wait_for_heartbeats
from e2e.run.screen import Screen, about_kserve
from e2e.run.session import Ended, Settings, blaming, own_log, settle


def real_nodes() -> tuple[OfflineNode, ...]:
    """The nodes of `make run`, under the names that a plane gives real ones."""
    return tuple(replace(node, name=f"real-{number}") for number, node in enumerate(default_nodes(), start=1))


def expected(examples: Path) -> Expectation:
    """What `make run` expects of a folder of examples, on nodes of other names. Raises ExampleError."""
    found = expectation(examples, kserve=kserve_wanted(), nodes=real_nodes())
    return replace(found, objects=tuple(map(small, found.objects)))


def introduction(wanted: Expectation) -> str:
    """What is real and what is not."""
    nodes = ", ".join(map(str, wanted.nodes))
    return (
        f"Three real nodes on this machine, with simulated GPUs: {nodes}.\n"
        "Kubelets, containers, claims and evictions are real, operator and agents are pods of our own image; engines\n"
        f"are replaced by containers that wait.\n{about_kserve(wanted)}"
    )


def families() -> Sequence[Family]:
    """The programs that it needs."""
    return (*wanted_families(), *NODE_FAMILIES)


def require() -> None:
    """Raise NodeUnavailable or RunError, with the remedy, where there can be no real nodes or no image."""
    check_for_nodes()
    try:
        require_builder()
    except ImageError as error:
        raise RunError(f"the image cannot be built here: {error}") from error


async def run(settings: Settings, expectation: Expectation, binaries: Binaries, screen: Screen) -> Ended:
    """Run it all. Returns when `once` is over. Raises PlaneError or RunError when something cannot start or died."""
    if settings.faults is not None:
        raise RunError(f"--faults {settings.faults}: is for `make run`; agents in pods have no such file: leave it out")
    async with AsyncExitStack() as stack:
        stack.enter_context(own_log(settings.folder / "run.log"))
        screen.say("our image, and the control plane with three real nodes")
        image = await asyncio.to_thread(our_image)
        started = Plane(
            binaries=binaries, manifests=CRD_FILES, kserve=expectation.kserve, real_nodes=len(expectation.nodes)
        )
        plane = await stack.enter_async_context(started)
        stack.enter_context(blaming(plane))
        screen.say(f"control plane ready after {plane.statistics.ready_seconds:.1f} s; bringing our image to the nodes")
        await import_everywhere(plane.nodes, image)
        await asyncio.to_thread(install, plane)
        screen.say("starting the operator's pods, and the agents'")
        await asyncio.to_thread(workloads.start_operator, plane)
        await asyncio.to_thread(workloads.start_agents, plane, expectation.modes, settings.time_scale)
        await asyncio.to_thread(wait_for_heartbeats, plane, expectation.modes)

        def check() -> None:
            plane.check()
            workloads.check(plane)

        return await settle(plane, expectation, screen, check, once=settings.once)


def our_image() -> BuiltImage:
    """The image, made anew where something in it has changed. Raises RunError."""
    try:
        return build_image(Progress())
    except ImageError as error:
        raise RunError(f"the image was not built: {error}") from error


async def import_everywhere(nodes: Sequence[RealNode], image: BuiltImage) -> None:
    """Let every node's pods use the image. Raises PlaneError."""
    async with asyncio.TaskGroup() as tasks:
        for node in nodes:
            tasks.create_task(asyncio.to_thread(node.import_images, image.archive))
