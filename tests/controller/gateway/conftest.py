"""The data path's tests run on uvloop, which serves it: its transports end, pause and abort in an order of their own."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

_HERE = Path(__file__).parent


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop for the tests of this folder; those of the rooms below bend time, which only asyncio's own loop lets them."""
    if item.path.parent == _HERE:
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
