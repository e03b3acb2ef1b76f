"""memoryGB is GiB as text; a hub's amount in another unit is shown rounded up and kept exactly."""

import pytest

from api.conversion.memory import gib_of, quantity_of
from api.conversion.nested import ABSENT
from tests.builders.versions import flat_service, hub_service, stash_of, to_hub, to_spoke


@pytest.mark.parametrize(
    ("quantity", "gib"),
    [
        pytest.param("24Gi", "24", id="gibibytes are the same text"),
        pytest.param("024.50Gi", "024.50", id="digit for digit"),
        pytest.param("24576Mi", "24", id="another unit that comes out even"),
        pytest.param("512Mi", "0.5", id="less than one"),
        pytest.param("25769803776", "24", id="bytes"),
        pytest.param("25G", "23.283064366", id="rounded up, never down"),
        pytest.param("1", "0.000000001", id="a byte is not nothing"),
        pytest.param("1Pi", "1048576", id="the largest"),
        pytest.param("0.5Ti", "512", id="a fraction"),
    ],
)
def test_an_amount_is_shown_in_gib(quantity: str, gib: str) -> None:
    assert gib_of(quantity) == gib


@pytest.mark.parametrize("nonsense", ["x", "", "-1Gi", "9999999999999999999Pi", "1e3", "1Ei", None, {}])
def test_what_the_flat_field_cannot_say_is_not_shown(nonsense: object) -> None:
    assert gib_of(nonsense) is ABSENT


def test_the_flat_text_gets_its_unit() -> None:
    assert quantity_of("24.50") == "24.50Gi"


def test_gibibytes_need_no_stash() -> None:
    spoke = to_spoke(hub_service(gpuSharing={"partition": {"minMemory": "24.50Gi"}}))
    assert (spoke["spec"]["memoryGB"], stash_of(spoke)) == ("24.50", None)


def test_another_unit_comes_back_as_it_was() -> None:
    hub = hub_service(gpuSharing={"partition": {"minMemory": "25G"}})
    spoke = to_spoke(hub)
    assert stash_of(spoke) == {"gpuSharing.partition.minMemory": {"is": "25G", "shown": "23.283064366Gi"}}
    assert to_hub(spoke)["spec"]["gpuSharing"]["partition"]["minMemory"] == "25G"


@pytest.mark.parametrize(("edited", "want"), [("32", "32Gi"), ("24.0", "24.0Gi"), (None, None)])
def test_edited_memory_wins(edited: str | None, want: str | None) -> None:
    spoke = flat_service({"gpuSharing.partition.minMemory": {"is": "24576Mi", "shown": "24Gi"}}, memoryGB=edited)
    assert to_hub(spoke)["spec"]["gpuSharing"]["partition"].get("minMemory") == want
