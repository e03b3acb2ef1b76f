"""The operator's webhook, made known to the API server: where it listens and whom to trust."""

from typing import Any

from controller.runtime.client.client import Client
from controller.runtime.client.core import MUTATING_WEBHOOKS

CONFIGURATION = "aim-gpu-pod-gate"
WEBHOOK = "pod-gate.aim.amd.com"
PATH = "/mutate-pod"


async def register(client: Client, ca_bundle: str, url: str | None) -> None:
    """Write CA and, where the operator runs outside the cluster, URL into the installed configuration.

    The configuration itself comes with the manifests, so that no pod slips by while the operator is down.
    Raises NotFound when it is not installed.
    """
    present = await client.get(MUTATING_WEBHOOKS, CONFIGURATION)
    position = [webhook["name"] for webhook in present["webhooks"]].index(WEBHOOK)
    config: dict[str, Any] = (
        {"url": url} if url else {"service": present["webhooks"][position]["clientConfig"]["service"]}
    )
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": present["metadata"]["resourceVersion"]},
        {"op": "test", "path": f"/webhooks/{position}/name", "value": WEBHOOK},
        {
            "op": "replace",
            "path": f"/webhooks/{position}/clientConfig",
            "value": {**config, "caBundle": ca_bundle},
        },
    ]
    await client.json_patch(MUTATING_WEBHOOKS, CONFIGURATION, operations)
