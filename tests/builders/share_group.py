"""Services that share one partition in the share group chat of team-a, by their pods' shares."""

from collections.abc import Mapping
from typing import Any

from api.group import SERVICE_LABEL
from api.object import dump
from controller.translate.share_group import group_claim_name
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB
from tests.builders.inference_service import inference_service
from tests.builders.pod import pod
from tests.builders.policy import policy_object

NAME = group_claim_name("team-a", "chat")
SHARING = {"isolation": "cooperative", "shareGroup": "chat"}


def sharing_service(name: str, least: int | None, **fields: Any) -> dict[str, Any]:
    """A service of the group that is promised `least` requests in flight, None: none."""
    qos = {"guarantees": {"minConcurrency": least}} if least is not None else {}
    return dump(inference_service(name, gpuSharing=SHARING, qos=qos, **fields))


def group_claim(*pods: str) -> dict[str, Any]:
    """The group's claim, on which these pods have shares."""
    shares = [{"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": GIB} for name in pods]
    status = {"phase": "Allocated", "allocation": allocation(), "shares": shares}
    made = claim(NAME, status=status)
    requirement = {**made["spec"]["requirement"], "isolation": "cooperative"}
    return {**made, "spec": {"shareGroup": "chat", "requirement": requirement}}


def sharing(services: Mapping[str, int | None], *, bound: int | None = 8) -> FedCluster:
    """A cluster with these services, one pod `NAME-0` of each on the partition, and a policy with that bound."""
    fed = FedCluster()
    bounded: dict[str, Any] = {"sharedConcurrency": bound} if bound is not None else {}
    fed.put(fed.cluster.policies, policy_object(**bounded))
    for name, least in services.items():
        fed.put(fed.cluster.services, sharing_service(name, least))
        fed.put(fed.cluster.pods, pod(f"{name}-0", claim=NAME, metadata={"labels": {SERVICE_LABEL: name}}))
    fed.put(fed.cluster.claims, group_claim(*(f"{name}-0" for name in services)))
    return fed
