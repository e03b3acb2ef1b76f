"""What is read from an API server's words about a quota."""

import pytest

from controller.runtime.client.errors import Forbidden
from controller.runtime.client.quota_refusal import Exceeded, QuotaRefusal, quota_refusal

DEVICES = "gpu.amd.com.deviceclass.resource.k8s.io/devices"
CLAIMS = "count/resourceclaims.resource.k8s.io"


def refused(message: str) -> QuotaRefusal | None:
    said = f'resourceclaims.resource.k8s.io "aim-a" is forbidden: {message}'
    return quota_refusal(Forbidden(403, "Forbidden", said))


def test_quota_resource_and_amounts_are_read() -> None:
    words = f"exceeded quota: gpus, requested: {DEVICES}=2, used: {DEVICES}=3, limited: {DEVICES}=4"
    found = refused(words)
    assert found == QuotaRefusal("gpus", (Exceeded(DEVICES, "2", "3", "4"),))
    assert found.exceeded[0].left == 1


def test_of_several_resources_each_has_its_amounts() -> None:
    found = refused(
        f"exceeded quota: team.a, requested: {CLAIMS}=1,{DEVICES}=8, used: {CLAIMS}=5,{DEVICES}=1, "
        f"limited: {CLAIMS}=5,{DEVICES}=1k"
    )
    assert found == QuotaRefusal("team.a", (Exceeded(CLAIMS, "1", "5", "5"), Exceeded(DEVICES, "8", "1", "1k")))
    assert [one.left for one in found.exceeded] == [0, None]


def test_a_quota_that_was_lowered_below_what_is_used_leaves_nothing() -> None:
    assert Exceeded(DEVICES, "1", "4", "2").left == 0


def test_a_quota_that_nobody_has_counted_yet_is_named() -> None:
    assert refused(f"status unknown for quota: gpus, resources: {DEVICES}") == QuotaRefusal("gpus", ())


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("User may not create resource resourceclaims", id="a missing right"),
        pytest.param("unable to create new content in namespace a because it is being terminated", id="a namespace"),
        pytest.param(f"exceeded quota: gpus, requested: {DEVICES}=2, used: {CLAIMS}=3, limited: {CLAIMS}=3", id="odd"),
    ],
)
def test_other_words_are_no_quotas(message: str) -> None:
    assert refused(message) is None
