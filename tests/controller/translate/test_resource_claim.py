import pytest

from controller.translate.resource_claim import AllocatedDevice, resource_claim_view
from tests.builders.resource_claim import resource_claim


def test_a_claim_that_waits() -> None:
    view = resource_claim_view(resource_claim())
    assert (view.key, view.owner_uid, view.devices, view.allocated) == ("team-a/aim-a", "uid-model-0", (), False)
    assert not view.deleting


def test_an_allocated_claim_names_its_devices() -> None:
    view = resource_claim_view(resource_claim(device="gpu-0-128"))
    assert (view.allocated, view.devices) == (True, (AllocatedDevice("worker-0", "gpu-0-128", False),))


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({"driver": "nic.example"}, (), id="a device of another driver"),
        pytest.param({"admin": True}, (AllocatedDevice("worker-0", "gpu-0-128", True),), id="adminAccess is marked"),
    ],
)
def test_which_devices_count(fields: dict[str, object], want: tuple[AllocatedDevice, ...]) -> None:
    view = resource_claim_view(resource_claim(device="gpu-0-128", **fields))  # type: ignore[arg-type]
    assert (view.allocated, view.devices) == (True, want)


def test_reserved_for_and_deletion_are_read() -> None:
    made = resource_claim(owner_uid=None)
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    made["status"]["reservedFor"] = [{"resource": "pods", "uid": "u1"}, {"resource": "pods", "uid": "u2"}]
    view = resource_claim_view(made)
    assert (view.owner_uid, view.deleting, view.reserved_for) == (None, True, ("u1", "u2"))


def test_an_owner_that_is_not_the_controller_does_not_count() -> None:
    made = resource_claim()
    del made["metadata"]["ownerReferences"][0]["controller"]
    assert resource_claim_view(made).owner_uid is None
