"""Takes off the URLs by which an operator outside the cluster has its webhooks called.

The chart names a Service, and the API server refuses both together: it could not be applied a second time.
The operator, if it runs, writes its URLs again.
"""

from typing import Any

from e2e.plane import Plane

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
_CALLED = (
    f"{_CRDS}/inferenceservices.aim.amd.com",
    f"{_CRDS}/gpusharingpolicies.aim.amd.com",
    f"{_WEBHOOKS}/mutatingwebhookconfigurations/aim-gpu-pod-gate",
    f"{_WEBHOOKS}/validatingwebhookconfigurations/aim-gpu-validation",
)
_SERVICE = {"service": {"name": "aim-gpu-operator", "namespace": "aim-gpu-system"}}


def forget_addresses(plane: Plane) -> None:
    """Put the Service back wherever a URL stands."""
    for path in _CALLED:
        present = plane.admin.find(path)
        pointers = [] if present is None else [pointer for pointer, config in _configs(present) if "url" in config]
        if pointers:
            plane.admin.patch(path, [{"op": "replace", "path": pointer, "value": _SERVICE} for pointer in pointers])


def _configs(present: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every clientConfig of a webhook configuration or a CRD, with the JSON pointer to it."""
    webhooks = [
        (f"/webhooks/{number}/clientConfig", webhook["clientConfig"])
        for number, webhook in enumerate(present.get("webhooks", ()))
    ]
    conversion = present.get("spec", {}).get("conversion", {}).get("webhook")
    return (
        [*webhooks, ("/spec/conversion/webhook/clientConfig", conversion["clientConfig"])] if conversion else webhooks
    )
