"""What a pod that is let go asks of the scheduler, and the patch that lets it go."""

from controller.binding.dra import GatedPod
from controller.binding.open_claim import open_claim_spec, open_selector, release_patch


def test_every_attribute_is_guarded_and_no_device_is_pinned() -> None:
    expression = open_selector("AMD_Instinct_MI300X_OAM", "dpx_nps1", 96 << 30)
    assert "renderIndex" not in expression
    for name in ("partitionProfile", "productName", "memory"):
        assert f'"{name}" in' in expression
    assert f'quantity("{96 << 30}")' in expression
    assert "productName" not in open_selector("", "dpx_nps1", 1)


def test_several_partitions_are_one_request_of_their_number() -> None:
    (request,) = open_claim_spec("true", 2)["devices"]["requests"]
    assert request["exactly"]["count"] == 2


def test_the_gate_goes_and_no_node_is_named() -> None:
    patch = release_patch(GatedPod("7", "gate", 1, {"a": "b"}, {}), {"aim/x": "y"})
    assert [each["op"] for each in patch] == ["test", "test", "add", "remove"]
    assert not any("nodeSelector" in each["path"] for each in patch)
