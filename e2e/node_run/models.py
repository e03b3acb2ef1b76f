"""The examples as small nodes can run them: engines become containers that wait and ask for next to nothing. Pure."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from controller.reconcilers.inference_service.backend import CONTAINER
from e2e.plane.node import BUSYBOX_IMAGE

Object = dict[str, Any]

# It listens where an engine would (the port of examples, and the one that KServe's probe asks where none is named), and
# handles TERM: PID 1 ignores a signal that it has no handler for, and would be killed at the end of its grace.
_WAITS = ["sh", "-c", "trap 'exit 0' TERM; httpd -p 8000 -h /tmp; httpd -p 8080 -h /tmp; sleep 1000000 & wait"]
_REQUESTS = {"cpu": "10m", "memory": "16Mi"}


def small(obj: Mapping[str, Any]) -> Object:
    """A copy of an example whose containers can run on any node; what it asks of GPUs stays."""
    copied: Object = deepcopy(dict(obj))
    if (copied["apiVersion"].partition("/")[0], copied["kind"]) == ("aim.amd.com", "InferenceService"):
        copied["spec"].setdefault("predictor", {"containers": [{"name": CONTAINER}]})
    _shrink(copied.get("spec", {}))
    return copied


def _shrink(value: object) -> None:
    if isinstance(value, dict):
        for container in value.get("containers") or ():
            _replace(container)
        for inner in value.values():
            _shrink(inner)


def _replace(container: Object) -> None:
    container |= {"image": BUSYBOX_IMAGE, "command": _WAITS}
    container.pop("args", None)
    resources = container.setdefault("resources", {})
    resources["requests"] = {**resources.get("requests", {}), **_REQUESTS}
