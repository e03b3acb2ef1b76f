"""What OwnerReferencesPermissionEnforcement asks about, which no audit log tells: without the right, it refuses."""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, LEASES
from controller.runtime.client.errors import Forbidden
from e2e.chart import installed
from e2e.plane import Plane, service_account_token
from e2e.plane.components import APISERVER
from e2e.run.install import CRD_FILES, SYSTEM_NAMESPACE, apply_objects
from tests.rights.grants import Grant, grants
from tests.rights.owners import OWNERS
from tests.rights.roles import allowed

pytestmark = [pytest.mark.plane, pytest.mark.timeout(120)]

SERVICE = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "chat", "namespace": "default"},
    "spec": {"model": {"id": "Qwen/Qwen3-8B"}},
}


@pytest.fixture(scope="module")
def strict_plane() -> Iterator[Plane]:
    """One whose API server judges owners."""
    flags = ("--enable-admission-plugins=OwnerReferencesPermissionEnforcement",)
    with Plane(manifests=CRD_FILES, arguments={APISERVER: flags}) as plane:
        plane.admin.create("/api/v1/namespaces", {"metadata": {"name": SYSTEM_NAMESPACE}})
        apply_objects(plane, [SERVICE])
        yield plane


def _owned_later(name: str) -> list[dict[str, object]]:
    """What an account adds an owner to. One each: the garbage collector deletes what such an owner has, as none is there."""
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}},
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
        },
    ]


async def _further_owner(client: Client, plane: Plane, account: str) -> None:
    """As a profile that pods share gets further owners."""
    pod = {"apiVersion": "v1", "kind": "Pod", "name": "of-" + account, "uid": "1"}
    await client.merge_patch(CONFIG_MAPS, account, {"metadata": {"ownerReferences": [pod]}}, "default")


async def _blocking_owner(client: Client, plane: Plane, account: str) -> None:
    """As what is made for an InferenceService names it."""
    uid = plane.admin.get("/apis/aim.amd.com/v1beta1/namespaces/default/inferenceservices/chat")["metadata"]["uid"]
    owner = {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "name": "chat", "uid": uid}
    owners = [owner | {"controller": True, "blockOwnerDeletion": True}]
    metadata = {"name": f"made-by-{account}", "namespace": "default", "ownerReferences": owners}
    await client.create(CONFIG_MAPS, {"metadata": metadata})


async def _owner_of_lease(client: Client, plane: Plane, account: str) -> None:
    """As a heartbeat names its GPUNode, once that is there."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": "of-" + account, "uid": "1"}
    await client.merge_patch(LEASES, account, {"metadata": {"ownerReferences": [owner]}}, SYSTEM_NAMESPACE)


WRITES: dict[str, Callable[[Client, Plane, str], Awaitable[None]]] = {
    "delete configmaps": _further_owner,
    "update inferenceservices/finalizers.aim.amd.com": _blocking_owner,
    f"delete leases.coordination.k8s.io in {SYSTEM_NAMESPACE}": _owner_of_lease,
}


def granted() -> list[Grant]:
    return [one for one in sorted(grants(installed.around_processes())) if str(one) in OWNERS]


def test_each_of_these_rights_is_there_and_tried() -> None:
    assert {str(one) for one in granted()} == OWNERS == WRITES.keys()


@pytest.mark.parametrize("right", granted(), ids=str)
async def test_the_write_is_refused_without_the_right_alone(strict_plane: Plane, right: Grant) -> None:
    whole = [one for one in grants(installed.around_processes()) if one.account == right.account]
    accounts = {
        f"{right.verb}-{right.resource.split('/')[0]}-{number}": has
        for number, has in enumerate((whole, [one for one in whole if one != right]))
    }
    apply_objects(strict_plane, [one for name, has in accounts.items() for one in allowed(name, has)])
    apply_objects(strict_plane, [each for account in accounts for each in _owned_later(account)])
    outcomes = []
    for account in accounts:
        token = service_account_token(strict_plane, SYSTEM_NAMESPACE, account)
        configuration = ClientConfiguration(server=strict_plane.server, token=token, ca=str(strict_plane.ca))
        async with Client(configuration) as client:
            try:
                await WRITES[str(right)](client, strict_plane, account)
                outcomes.append("written")
            except Forbidden:
                outcomes.append("refused")
    assert outcomes == ["written", "refused"]
