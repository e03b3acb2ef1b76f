"""The policy that stands in for a pod webhook which fails closed.

OLM's description of a webhook has no matchConditions, so that every pod of the cluster would wait for an operator that
is down if the webhook failed closed. It fails open, and this policy refuses what then went by it: the API server judges
after the webhooks, by itself, and looks at opted-in pods alone.
"""

from copy import deepcopy
from typing import Any, Final

from api.group import GATE, GPU_SHARING
from olm.sources import Object, named

NAME: Final = "aim-gpu-pod-gated"
_LIKE: Final = "aim-gpu-pod-create"
"""A guard of ours: the policy has its labels."""
_WEBHOOK: Final = ("MutatingWebhookConfiguration", "aim-gpu-pod-gate")

_POD: Final = (
    '"pod " + request.namespace + "/" + object.metadata.?name.orValue(object.metadata.?generateName.orValue(""))'
)
_GATED: Final = f'object.?spec.?schedulingGates.orValue([]).exists(gate, gate.name == "{GATE}")'
_MESSAGE: Final = (
    f'variables.pod + ": metadata.annotations[{GPU_SHARING}]: \'" + object.metadata.annotations["{GPU_SHARING}"]'
    f' + "\' asks for a part of a GPU, and the operator did not answer to add its gate {GATE}: try again, as"'
    f' + " controllers do themselves, once a pod of Deployment aim-gpu-operator is ready, or take the annotation off"'
)


def guard(objects: list[Object]) -> list[Object]:
    """The policy and its binding, for the pods that the manifest's webhook asks for."""
    (webhook,) = named(objects, *_WEBHOOK)["webhooks"]
    return [
        _of(
            objects,
            "ValidatingAdmissionPolicy",
            {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": deepcopy(webhook["rules"])},
                "matchConditions": deepcopy(webhook["matchConditions"]),
                "variables": [{"name": "pod", "expression": _POD}],
                "validations": [{"expression": _GATED, "messageExpression": _MESSAGE}],
            },
        ),
        _of(objects, "ValidatingAdmissionPolicyBinding", {"policyName": NAME, "validationActions": ["Deny"]}),
    ]


def _of(objects: list[Object], kind: str, spec: dict[str, Any]) -> Object:
    like = named(objects, kind, _LIKE)
    metadata = {"name": NAME, "labels": deepcopy(like["metadata"]["labels"])}
    return {"apiVersion": like["apiVersion"], "kind": kind, "metadata": metadata, "spec": spec}
