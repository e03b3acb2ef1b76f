"""Every story is played as its page tells it: commands in their order, answers as they are shown, nothing left behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.docs.blocks import ROOT
from tests.docs.page_commands import run
from tests.integration.operator.running import AIM, Running, running
from tests.integration.stories.told import play

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

STORIES = ROOT / "examples"
ELSEWHERE = {"flooded-neighbour", "kserve"}
"""Stories that bring a cluster of their own."""
NAMES = sorted(page.parent.name for page in STORIES.glob("*/README.md") if page.parent.name not in ELSEWHERE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The three nodes of `make run`, for one story after the other."""
    nodes = {"gpu-a": "SPX/NPS1", "gpu-b": "CPX/NPS4", "gpu-c": "DPX/NPS1"}
    async with running(plane, tmp_path_factory.mktemp("stories"), nodes, gpus=8) as made:
        yield made


@pytest.mark.parametrize("name", NAMES)
async def test_a_story_goes_as_it_is_told(name: str, cluster: Running, tmp_path: Path) -> None:
    try:
        assert await play(STORIES / name / "README.md", cluster, tmp_path) >= 4
    except BaseException:
        await run(
            f"kubectl delete -f examples/{name} --ignore-not-found", cluster.plane.kubeconfig, tmp_path, folder=ROOT
        )
        await run("kubectl delete rpp --all", cluster.plane.kubeconfig, tmp_path)
        raise

    async def gone() -> bool:
        return not await cluster.items(f"{AIM}/gpupartitionclaims")

    await cluster.eventually("all claims are gone", gone)
    assert await cluster.items(f"{AIM}/gpusharingpolicies") == []


async def test_all_stories_are_played() -> None:
    assert len(NAMES) >= 5
    assert {page.parent.name for page in STORIES.glob("*/README.md")} == {*NAMES, *ELSEWHERE}
