"""What a write makes of an object: PUT, the patches, and the status subresource, as far as clients can tell them apart.

Server-side apply is a merge patch that may create; it knows no owners and no lists with keys.
"""

from typing import Any

from controller.runtime.manifest import Manifest
from tests.builders.json_patch import apply_patch

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def written(method: str, content_type: str, subresource: str | None, held: Manifest, sent: Any) -> Manifest:
    """`held` after the write. Raises PatchFailed for a JSON patch that does not apply."""
    if method == "PUT":
        after: Manifest = sent
    elif content_type == JSON_PATCH:
        after = apply_patch(held, sent)
    else:
        after = merged(held, sent)
    if subresource != "status":
        return after
    version = after["metadata"].get("resourceVersion", held["metadata"]["resourceVersion"])
    kept = {**held, "metadata": {**held["metadata"], "resourceVersion": version}}
    return {**kept, "status": after.get("status")}


def merged(held: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(held) if isinstance(held, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
