"""ResourceClaims: as the API server has them, and as the operator reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.runtime.objects.conversion import typed
from controller.runtime.objects.resource_claim import ResourceClaim


def resource_claim(
    name: str = "aim-a",
    *,
    namespace: str = "team-a",
    device: str | Sequence[str] | None = None,
    pool: str = "worker-0",
    driver: str = "gpu.amd.com",
    admin: bool = False,
    owner_uid: str | None = "uid-model-0",
    spec: Mapping[str, Any] | None = None,
    version: str = "1",
) -> dict[str, Any]:
    """A ResourceClaim; allocated when `device`, one name or several, is given."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": f"rc-{namespace}/{name}",
        "resourceVersion": version,
    }
    if owner_uid is not None:
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "model-0", "uid": owner_uid, "controller": True}
        metadata["ownerReferences"] = [owner]
    made: dict[str, Any] = {"metadata": metadata, "spec": dict(spec or {}), "status": {}}
    if device is not None:
        result = {"request": "gpu", "driver": driver, "pool": pool} | ({"adminAccess": True} if admin else {})
        names = [device] if isinstance(device, str) else device
        made["status"]["allocation"] = {"devices": {"results": [result | {"device": name} for name in names]}}
    return made


def typed_resource_claim(name: str = "aim-a", **fields: Any) -> ResourceClaim:
    """The ResourceClaim of `resource_claim`, decoded."""
    return typed(resource_claim(name, **fields), ResourceClaim)
