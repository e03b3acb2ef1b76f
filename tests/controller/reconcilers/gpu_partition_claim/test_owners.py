from typing import Any, cast

import pytest

from api.object import dump
from controller.reconcilers.gpu_partition_claim.owners import Owners
from controller.runtime.client.client import Client
from controller.runtime.client.core import REPLICA_SETS
from controller.state.kinds import INFERENCE_SERVICES
from controller.translate.pod import pod_view
from tests.builders.cluster import FedCluster
from tests.builders.inference_service import inference_service
from tests.builders.pod import typed_pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "uid": "d1", "controller": True}


def owned_by(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": kind, "name": name, "uid": uid, "controller": True}]}


def replica_set(*owners: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "chat-1", "namespace": "team-a", "uid": "r1", "ownerReferences": list(owners)}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata}


async def owner(metadata: dict[str, Any], *stored: dict[str, Any]) -> tuple[str, str, str] | None:
    """apiVersion, kind and name of the owner of a pod with `metadata`."""
    api, fed = InMemoryApi(), FedCluster()
    for obj in stored:
        api.put(REPLICA_SETS, obj)
    fed.put(fed.cluster.services, dump(inference_service("chat")))
    found = await Owners(cast("Client", api), fed.cluster).of(pod_view(typed_pod(metadata=metadata)))
    return None if found is None else (found["apiVersion"], found["kind"], found["metadata"]["name"])


OF_A_SET = owned_by("ReplicaSet", "chat-1", "r1")


@pytest.mark.parametrize(
    ("metadata", "stored", "want"),
    [
        pytest.param({}, [], None, id="nobody made it"),
        pytest.param(owned_by("Job", "j", "j1"), [], ("v1", "Job", "j"), id="its controller"),
        pytest.param(OF_A_SET, [replica_set(DEPLOYMENT)], ("apps/v1", "Deployment", "chat"), id="a Deployment's"),
        pytest.param(OF_A_SET, [replica_set()], ("apps/v1", "ReplicaSet", "chat-1"), id="a ReplicaSet's own"),
        pytest.param(
            OF_A_SET,
            [replica_set(DEPLOYMENT | {"controller": False})],
            ("apps/v1", "ReplicaSet", "chat-1"),
            id="an owner that does not control counts for nothing",
        ),
        pytest.param(OF_A_SET, [], None, id="a ReplicaSet that is gone"),
        pytest.param(
            {"labels": {"aim.amd.com/inference-service": "chat"}},
            [],
            (INFERENCE_SERVICES.api_version, "InferenceService", "chat"),
            id="our service's",
        ),
    ],
)
async def test_who_should_hear_why_a_pod_waits(
    metadata: dict[str, Any], stored: list[dict[str, Any]], want: tuple[str, str, str] | None
) -> None:
    assert await owner(metadata, *stored) == want


async def test_a_replica_set_is_asked_for_its_owner_once() -> None:
    api, fed = InMemoryApi(), FedCluster()
    api.put(REPLICA_SETS, replica_set(DEPLOYMENT))
    owners, pod = Owners(cast("Client", api), fed.cluster), pod_view(typed_pod(metadata=OF_A_SET))
    first = await owners.of(pod)
    api.objects.clear()
    assert await owners.of(pod) == first is not None
