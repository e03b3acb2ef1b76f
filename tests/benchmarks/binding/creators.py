"""Pods made as several clients make them at once: each sends its next when the one before is answered."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS


async def create_pods(client: Client, namespace: str, pods: Iterable[Mapping[str, Any]], clients: int) -> None:
    """Create `pods`, `clients` at a time. Raises ApiError for one that is refused."""
    left = iter(pods)

    async def work() -> None:
        for pod in left:
            await client.create(PODS, dict(pod), namespace)

    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(work(), name=f"creator {number}")
