import copy
from typing import Any

import pytest

from controller.binding.dra import Pin, PinnedDevice, claim_spec
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.resource_claim import ResourceClaim, ResourceClaimSpec
from controller.translate.resource_claim import AllocatedDevice, Pinned, pinned_as, pinned_in, resource_claim_view
from tests.builders.resource_claim import resource_claim, typed_resource_claim


def test_a_claim_that_waits() -> None:
    view = resource_claim_view(typed_resource_claim())
    assert (view.key, view.owner_uid, view.devices, view.allocated) == ("team-a/aim-a", "uid-model-0", (), False)
    assert not view.deleting


def test_an_allocated_claim_names_its_devices() -> None:
    view = resource_claim_view(typed_resource_claim(device="gpu-0-128"))
    assert (view.allocated, view.devices) == (True, (AllocatedDevice("worker-0", "gpu-0-128", False),))


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({"driver": "nic.example"}, (), id="a device of another driver"),
        pytest.param({"admin": True}, (AllocatedDevice("worker-0", "gpu-0-128", True),), id="adminAccess is marked"),
    ],
)
def test_which_devices_count(fields: dict[str, Any], want: tuple[AllocatedDevice, ...]) -> None:
    view = resource_claim_view(typed_resource_claim(device="gpu-0-128", **fields))
    assert (view.allocated, view.devices) == (True, want)


def test_reserved_for_and_deletion_are_read() -> None:
    made = resource_claim(owner_uid=None)
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    made["status"]["reservedFor"] = [{"resource": "pods", "uid": "u1"}, {"resource": "pods", "uid": "u2"}]
    view = resource_claim_view(typed(made, ResourceClaim))
    assert (view.owner_uid, view.deleting, view.reserved_for) == (None, True, ("u1", "u2"))


def test_an_owner_that_is_not_the_controller_does_not_count() -> None:
    made = resource_claim()
    del made["metadata"]["ownerReferences"][0]["controller"]
    assert resource_claim_view(typed(made, ResourceClaim)).owner_uid is None


def pin(*renders: int, profile: str = "cpx_nps4") -> Pin:
    return Pin("worker-0", "worker-0", tuple(PinnedDevice(f"gpu-1-{each}", each) for each in renders), profile)


PIN = pin(129)


def written(**changes: Any) -> dict[str, Any]:
    """The spec that we write, with `changes` to what it asks of its one device; None leaves a field out."""
    spec = copy.deepcopy(claim_spec(PIN))
    exactly = spec["devices"]["requests"][0]["exactly"] | changes
    spec["devices"]["requests"][0]["exactly"] = {name: value for name, value in exactly.items() if value is not None}
    return spec


def beside(**fields: Any) -> dict[str, Any]:
    """The spec that we write, with `fields` beside its request."""
    return {"devices": written()["devices"] | fields}


OTHERS = (Pinned(frozenset({130}), "cpx_nps4"), Pinned(frozenset({129}), "spx_nps1"))
"""Pins that we write for other places."""


def ours(spec: dict[str, Any]) -> bool:
    return pinned_as(typed(spec, ResourceClaimSpec), PIN)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(written(), id="as we write it"),
        pytest.param(written(allocationMode=None, count=None), id="without what the API server defaults"),
        pytest.param(written(adminAccess=False, tolerations=[]), id="with what means nothing said outright"),
        pytest.param(beside(config=[], constraints=[]), id="with empty lists beside the request"),
    ],
)
def test_a_claim_that_asks_for_what_we_wrote_is_ours(spec: dict[str, Any]) -> None:
    assert ours(spec)
    assert pinned_in(typed(spec, ResourceClaimSpec)) == Pinned(frozenset({129}), "cpx_nps4")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(claim_spec(pin(130)), id="another device"),
        pytest.param(claim_spec(pin(129, profile="spx_nps1")), id="another mode"),
        pytest.param(written(adminAccess=True), id="adminAccess"),
        pytest.param(written(count=2), id="two devices"),
        pytest.param(written(allocationMode="All", count=None), id="all devices"),
        pytest.param(written(allocationMode="All"), id="all devices, and one"),
        pytest.param(written(deviceClassName="cpu.example"), id="another class"),
        pytest.param(written(selectors=[]), id="no pin"),
        pytest.param(written(selectors=written()["devices"]["requests"][0]["exactly"]["selectors"] * 2), id="two pins"),
        pytest.param(written(selectors=[{}]), id="a selector of another kind"),
        pytest.param(written(tolerations=[{"operator": "Exists"}]), id="device tolerations"),
        pytest.param(written(capacity={"requests": {"memory": "1Gi"}}), id="a part of the device's capacity"),
        pytest.param(written(derivedAttributes=[{"name": "a.example/b", "expression": "1"}]), id="derived attributes"),
        pytest.param(beside(requests=written()["devices"]["requests"] * 2), id="two requests"),
        pytest.param(beside(requests=[{"name": "gpu", "firstAvailable": []}]), id="no request that says how"),
        pytest.param(
            beside(requests=[{"name": "gpu", "firstAvailable": [{"name": "a", "deviceClassName": "gpu.amd.com"}]}]),
            id="alternatives",
        ),
        pytest.param(
            beside(requests=written()["devices"]["requests"] + [{"name": "b", "firstAvailable": [{"name": "a"}]}]),
            id="alternatives beside the request",
        ),
        pytest.param(beside(config=[{"opaque": {"driver": "gpu.amd.com", "parameters": {}}}]), id="configuration"),
        pytest.param(beside(config=[{}]), id="configuration that says nothing"),
        pytest.param(beside(constraints=[{"matchAttribute": "a.example/b"}]), id="a constraint"),
        pytest.param(beside(constraints=[{"requests": ["gpu"]}]), id="a constraint of a kind not known here"),
        pytest.param({}, id="nothing"),
    ],
)
def test_what_we_did_not_write_is_told_apart(spec: dict[str, Any]) -> None:
    assert not ours(spec)
    assert pinned_in(typed(spec, ResourceClaimSpec)) in (None, *OTHERS)
