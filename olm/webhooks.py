"""The webhooks as OLM describes them.

OLM's description has no matchConditions: what they leave out of calls reaches the operator, which looks itself. A
webhook for all pods must then not fail closed, or no pod of the cluster would start while the operator is down.
"""

from typing import Any, Final

from olm.sources import OPERATOR, Object, of_kind

_TYPES: Final = {
    "MutatingWebhookConfiguration": "MutatingAdmissionWebhook",
    "ValidatingWebhookConfiguration": "ValidatingAdmissionWebhook",
}
_KEPT: Final = (
    "admissionReviewVersions",
    "matchPolicy",
    "reinvocationPolicy",
    "rules",
    "sideEffects",
    "timeoutSeconds",
)


def _admission(kind: str, hook: dict[str, Any]) -> dict[str, Any]:
    service = hook["clientConfig"]["service"]
    return {key: hook[key] for key in _KEPT if key in hook} | {
        "type": _TYPES[kind],
        "generateName": hook["name"],
        "deploymentName": OPERATOR,
        "containerPort": service["port"],
        "targetPort": service["port"],
        "webhookPath": service["path"],
        "failurePolicy": "Ignore",  # what went by is refused by the policy of guard.py
    }


def webhooks(objects: list[Object]) -> list[dict[str, Any]]:
    """Those of the configurations, and the conversion of every CRD that has one."""
    found = [_admission(each["kind"], hook) for each in of_kind(objects, *_TYPES) for hook in each["webhooks"]]
    for crd in of_kind(objects, "CustomResourceDefinition"):
        conversion = crd["spec"].get("conversion", {})
        if conversion.get("strategy") != "Webhook":
            continue
        service = conversion["webhook"]["clientConfig"]["service"]
        found.append(
            {
                "type": "ConversionWebhook",
                "generateName": f"conversion.{crd['metadata']['name']}",
                "deploymentName": OPERATOR,
                "containerPort": service["port"],
                "targetPort": service["port"],
                "webhookPath": service["path"],
                "admissionReviewVersions": conversion["webhook"]["conversionReviewVersions"],
                "sideEffects": "None",
                "conversionCRDs": [crd["metadata"]["name"]],
            }
        )
    return found
