"""The story with KServe, on a plane that has it."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.docs.blocks import ROOT
from tests.integration.operator.running import AIM, running
from tests.integration.stories.told import play

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve"), pytest.mark.timeout(300)]


async def test_the_story_goes_as_it_is_told(kserve_plane: Plane, tmp_path: Path) -> None:
    async with running(kserve_plane, tmp_path, {"gpu-b": "CPX/NPS4"}, gpus=1) as cluster:
        assert await play(ROOT / "examples/kserve/README.md", cluster, tmp_path) >= 4

        async def gone() -> bool:
            return not await cluster.items(f"{AIM}/gpupartitionclaims")

        await cluster.eventually("all claims are gone", gone)
