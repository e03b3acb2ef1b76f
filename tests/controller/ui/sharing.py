"""The cluster of `fleet` with a share group: two models on one partition, and a third that waits for a share."""

from typing import Any, Final

from api.group import ISOLATION, MODEL_ID, SERVICE_LABEL, SHARE_GROUP
from controller.reconcilers.share_group.shared_status import waits
from controller.translate.share_group import group_claim_name
from tests.builders.claim import allocation, claim
from tests.builders.gpu import gpu
from tests.builders.pod import OPTED_IN, pod
from tests.controller.ui.fleet import FleetOnPaper, fleet, sized

NAMESPACE: Final = "team-b"
NAME: Final = group_claim_name(NAMESPACE, "tools")
MEMBERS: Final = {"rank-0": ("Qwen/Qwen3-0.6B", "search"), "tag-0": ("Qwen/Qwen3-1.7B", None)}
"""Pods by name: the model, and the service that it is of."""
LATE: Final = "Qwen/Qwen3-4B"


def member(name: str, model: str, service: str | None = None, **fields: Any) -> dict[str, Any]:
    """A pod of the group."""
    asks = OPTED_IN | {MODEL_ID: model, ISOLATION: "cooperative", SHARE_GROUP: "tools"}
    labels = {"labels": {SERVICE_LABEL: service}} if service else {}
    return pod(name, namespace=NAMESPACE, claim=NAME, annotations=asks, metadata=labels, **fields)


def sharing_fleet() -> FleetOnPaper:
    """The group has partition 3 of the first GPU of worker-0, which `fleet` leaves free."""
    fed = fleet()
    shares: list[dict[str, Any]] = []
    for name, (model, service) in MEMBERS.items():
        stored = member(name, model, service, gates=(), node="worker-0", phase="Running")
        stored["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        fed.put(fed.cluster.pods, stored)
        shares.append({"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": sized(model)[0]})
    fed.put(fed.cluster.pods, member("late-0", LATE))
    made = claim(NAME, namespace=NAMESPACE)
    made["spec"] = {"shareGroup": "tools", "requirement": {"memory": "23Gi", "isolation": "cooperative"}}
    left = gpu(0).partitions[3].bytes - sum(share["bytes"] for share in shares)
    why = f"share group tools leaves {left / 2**30:.1f} GiB, needed are {sized(LATE)[0] / 2**30:.1f} GiB"
    made["status"] = {
        "phase": "Allocated",
        "allocation": allocation("worker-0", 0, 3, of=gpu(0)) | {"isolation": "cooperative"},
        "shares": shares,
        "explanation": waits("late-0", "ShareGroupFull", why),
    }
    fed.put(fed.cluster.claims, made)
    return fed
