import pytest

from controller.reconcilers.kserve_service.verdict import MESSAGE_LIMIT, PodStanding, Verdict, verdict
from tests.builders.kserve_service import OPTED_IN

HELD = PodStanding("a", held=True)
MOVING = PodStanding("b", held=False)
REFUSED = PodStanding("c", held=False, reason="NoFreePartition", message="all 8 are taken")
OTHER = PodStanding("d", held=False, reason="TooLargeForAnyGPU", message="needs 652 GiB")
SLIP = {"aim.amd.com/precison": "fp8"}


@pytest.mark.parametrize(
    ("pods", "stopped", "want"),
    [
        pytest.param([], False, ("False", "NoPods", "no pod yet"), id="KServe has made none yet"),
        pytest.param([], True, ("False", "Stopped", "the service is stopped"), id="stopped"),
        pytest.param([HELD], False, ("True", "PartitionsAllocated", "1 of 1 pods hold a partition"), id="all hold one"),
        pytest.param(
            [HELD, MOVING], False, ("False", "Pending", "1 of 2 pods hold a partition"), id="one is on its way"
        ),
        pytest.param(
            [OTHER, HELD, REFUSED],
            False,
            ("False", "NoFreePartition", "1 of 3 pods hold a partition; pod c: all 8 are taken"),
            id="the first by name of those that were told no says why",
        ),
    ],
)
def test_what_became_of_the_pods(pods: list[PodStanding], stopped: bool, want: tuple[str, str, str]) -> None:
    found = verdict(OPTED_IN, pods, stopped=stopped)
    assert found is not None
    assert (found.status, found.reason, found.message, found.fault) == (*want, "")


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="never heard of us"),
        pytest.param(OPTED_IN | {"aim.amd.com/gpu-sharing": "false"}, id="opted out"),
        pytest.param(OPTED_IN | {"aim.amd.com/gpu-sharing": "false"} | SLIP, id="opted out, and a slip"),
        pytest.param({"aim.amd.com/model-id": "Qwen/Qwen3-8B"}, id="a model, and no opt-in"),
    ],
)
def test_who_takes_no_part_is_not_spoken_about(annotations: dict[str, str]) -> None:
    assert verdict(annotations, [HELD], stopped=False) is None


@pytest.mark.parametrize(
    ("annotations", "want_reason", "want_parts"),
    [
        pytest.param(
            OPTED_IN | {"aim.amd.com/precision": "fp9"},
            "InvalidRequest",
            ("aim.amd.com/precision: 'fp9'", "choose one of"),
            id="a wrong value",
        ),
        pytest.param(
            OPTED_IN | SLIP,
            "MisspeltAnnotation",
            ("aim.amd.com/precison: 'fp8'", "aim.amd.com/precision?"),
            id="a misspelt key",
        ),
        pytest.param(
            {"aim.amd.com/gpu-shering": "true"},
            "MisspeltAnnotation",
            ("aim.amd.com/gpu-shering: 'true'", "aim.amd.com/gpu-sharing?"),
            id="the opt-in itself is misspelt",
        ),
        pytest.param(
            OPTED_IN | SLIP | {"aim.amd.com/partition-mode": "CPX"},
            "InvalidRequest",
            ("aim.amd.com/partition-mode: 'CPX'", "aim.amd.com/precision?"),
            id="both are told at once",
        ),
    ],
)
def test_annotations_at_fault(annotations: dict[str, str], want_reason: str, want_parts: tuple[str, ...]) -> None:
    found = verdict(annotations, [HELD], stopped=False)
    assert found is not None
    assert (found.status, found.reason) == ("False", want_reason)
    assert found.message == f"{found.fault}; 1 of 1 pods hold a partition"
    assert [part for part in want_parts if part not in found.fault] == []


def test_a_long_message_is_cut() -> None:
    long = PodStanding("c", held=False, reason="Later", message="x" * 3000)
    found = verdict(OPTED_IN, [long], stopped=False)
    assert isinstance(found, Verdict)
    assert len(found.message) == MESSAGE_LIMIT
