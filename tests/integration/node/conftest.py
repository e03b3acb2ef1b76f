"""The operator with a real node of simulated GPUs, for the tests of one module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.plane import Plane
from e2e.plane.node import RealNode
from tests.integration.node.operated import Operated, operated_node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operated(
    node_plane: Plane, real_node: RealNode, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Operated]:
    """See `operated_node`."""
    async with operated_node(node_plane, real_node, tmp_path_factory.mktemp("operated")) as started:
        yield started
