import pytest

from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.held_devices import HeldDevices
from controller.translate.resource_claim import resource_claim_view
from tests.builders.resource_claim import typed_resource_claim


def told(*claims: ResourceClaim) -> HeldDevices:
    held = HeldDevices()
    for each in map(resource_claim_view, claims):
        held.update(each.key, each)
    return held


@pytest.mark.parametrize(
    ("other", "want"),
    [
        pytest.param(typed_resource_claim("theirs", device="gpu-0-128"), True, id="another claim holds it"),
        pytest.param(typed_resource_claim("aim-a", device="gpu-0-128"), False, id="it is our own"),
        pytest.param(typed_resource_claim("theirs", device="gpu-0-129"), False, id="another device"),
        pytest.param(typed_resource_claim("theirs", device="gpu-0-128", pool="worker-1"), False, id="of another node"),
        pytest.param(
            typed_resource_claim("theirs", device="gpu-0-128", admin=True), False, id="adminAccess takes nothing"
        ),
    ],
)
def test_who_took_the_device(other: ResourceClaim, want: bool) -> None:
    pinned = {("worker-0", "gpu-0-128"), ("worker-0", "gpu-0-135")}
    assert told(other).of_others("team-a/aim-a", pinned) == ({("worker-0", "gpu-0-128")} if want else frozenset())


def test_a_device_that_was_given_back_is_nobodys() -> None:
    held = told(typed_resource_claim("theirs", device="gpu-0-128"))
    held.update("team-a/theirs", None)
    assert held.of_others("team-a/aim-a", {("worker-0", "gpu-0-128")}) == frozenset()


def test_who_only_watches_is_told_apart_and_for_as_long_as_it_does() -> None:
    watching = typed_resource_claim("theirs", device="gpu-0-128", admin=True)
    held = told(watching, typed_resource_claim("ours", device="gpu-0-129"))
    assert held.watched == {("worker-0", "gpu-0-128")}
    assert held.pools("team-a/theirs") == frozenset()
    held.update("team-a/theirs", None)
    assert held.watched == frozenset()
