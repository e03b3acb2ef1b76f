"""The page of somebody who may see little of a cluster: it says what it leaves out, and calls nothing healthy unseen."""

from collections.abc import Collection

import pytest

from controller.ui.gate import Admitted
from controller.ui.viewer import Viewer
from tests.controller.ui.conftest import Opens
from tests.controller.ui.fleet import fleet

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


class Few:
    """Lets everybody in as one who may list team-a's claims and services, and nothing else."""

    async def admit(self, token: str, also: Collection[str] = ()) -> Admitted:
        return Admitted("anna", Viewer(frozenset({"team-a"}), plans=False, nodes=False, profiles=False))


async def test_who_may_not_list_nodes_is_told_how_many_there_are_and_nothing_of_their_state(opened: Opens) -> None:
    page = (await opened(fleet(), Few(), "#top .figure")).page
    assert await page.locator("#top .figure").first.inner_text() == "GPUs\n?on 6 nodes that you may not list"
    told = await page.locator("#top .figures").inner_text()
    assert "healthy" not in told
    assert "Memory held" not in told
    assert await page.locator(".part").count() == 0
