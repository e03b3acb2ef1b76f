"""The operator's webhook, made and kept known to the API server: where it listens and whom to trust."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import structlog

from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.core import MUTATING_WEBHOOKS
from controller.runtime.client.errors import ApiError, NotFound
from controller.runtime.clock import Clock

CONFIGURATION = "aim-gpu-pod-gate"
WEBHOOK = "pod-gate.aim.amd.com"
PATH = "/mutate-pod"

#: Between two looks at a configuration that was right: somebody may have applied the manifests again.
LOOK_AGAIN_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Registration:
    """Keeps CA and, where the operator runs outside the cluster, URL in the installed configuration.

    The configuration itself comes with the manifests, so that no opted-in pod slips by while the operator is down.
    `client_config` gives the wanted {"caBundle"[, "url"]} once the webhook listens.
    """

    def __init__(self, client: Client, clock: Clock, client_config: Callable[[], dict[str, str]]) -> None:
        self._client = client
        self._clock = clock
        self._client_config = client_config
        self._backoff = Backoff(Random(), cap=LOOK_AGAIN_SECONDS)  # noqa: S311 - spreads load, guards nothing
        self._registered = asyncio.Event()
        self._problem = "the webhook is not registered yet"

    def __str__(self) -> str:
        return f"registration of {CONFIGURATION}"

    def verdict(self) -> bool | str:
        """True once the API server knows where to call, else why it does not."""
        return True if self._registered.is_set() else self._problem

    async def wait_registered(self) -> None:
        """Wait for the first success."""
        await self._registered.wait()

    async def run(self) -> None:
        """Register, and look again, until cancelled."""
        while True:
            try:
                await self._register()
            except (ApiError, ValueError) as error:
                self._problem = str(error)
                if isinstance(error, NotFound):
                    self._problem += f"; install MutatingWebhookConfiguration {CONFIGURATION}"
                delay = self._backoff.failed(self._clock.monotonic())
                log.warning("webhook not registered", problem=self._problem, retry_seconds=round(delay, 1))
                await self._clock.sleep(delay)
            else:
                self._registered.set()
                await self._clock.sleep(LOOK_AGAIN_SECONDS)

    async def _register(self) -> None:
        present = await self._client.get(MUTATING_WEBHOOKS, CONFIGURATION)
        operations = patch(present, self._client_config())
        if operations:
            await self._client.json_patch(MUTATING_WEBHOOKS, CONFIGURATION, operations)
            log.info("webhook registered", configuration=CONFIGURATION)


def patch(present: dict[str, Any], wanted: dict[str, str]) -> list[dict[str, Any]]:
    """The JSON patch that puts `wanted` into our webhook of the configuration; empty when it is there already.

    Raises ValueError when the configuration has no webhook of our name.
    """
    names = [webhook["name"] for webhook in present.get("webhooks", ())]
    if WEBHOOK not in names:
        raise ValueError(f"webhooks of {CONFIGURATION}: {names} lack {WEBHOOK}; apply the manifests again")
    position = names.index(WEBHOOK)
    installed = present["webhooks"][position]["clientConfig"]
    config = wanted if "url" in wanted else {**wanted, "service": installed.get("service")}
    if config == installed:
        return []
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": present["metadata"]["resourceVersion"]},
        {"op": "test", "path": f"/webhooks/{position}/name", "value": WEBHOOK},
        {"op": "replace", "path": f"/webhooks/{position}/clientConfig", "value": config},
    ]
