from collections.abc import Mapping, Sequence

import pytest

from controller.binding.device_plugin import (
    Naming,
    advertised,
    claim_suffix,
    mode_of,
    naming_of,
    naming_of_resource,
    resource_name,
)
from controller.gpu.mode import Mode, mode
from controller.gpu.product import product_named


@pytest.mark.parametrize("each", product_named("MI300X").allowed, ids=str)
def test_a_mode_and_its_resource_name_each_other(each: Mode) -> None:
    name = resource_name(each, Naming.MIXED)
    assert (mode_of(name), naming_of_resource(name)) == (each, Naming.MIXED)
    assert resource_name(each, Naming.SINGLE) == "amd.com/gpu"


@pytest.mark.parametrize(
    ("resource", "want_mode", "want_naming"),
    [
        pytest.param("amd.com/cpx_nps4", mode("CPX/NPS4"), Naming.MIXED, id="a mode"),
        pytest.param("amd.com/gpu", None, Naming.SINGLE, id="any mode"),
        pytest.param("amd.com/npu", None, None, id="another device of AMD's"),
        pytest.param("amd.com/CPX_NPS4", None, None, id="our spelling under their prefix"),
        pytest.param("nvidia.com/gpu", None, None, id="another vendor's"),
        pytest.param("cpx_nps4", None, None, id="no prefix"),
    ],
)
def test_what_a_resource_name_says(resource: str, want_mode: Mode | None, want_naming: Naming | None) -> None:
    assert (mode_of(resource), naming_of_resource(resource)) == (want_mode, want_naming)


@pytest.mark.parametrize(
    ("devices", "want"),
    [
        pytest.param({}, None, id="no plugin yet"),
        pytest.param({"amd.com/npu": 4}, None, id="another plugin of AMD's"),
        pytest.param({"amd.com/gpu": 8}, Naming.SINGLE, id="single"),
        pytest.param({"amd.com/cpx_nps1": 8, "amd.com/spx_nps1": 7}, Naming.MIXED, id="mixed"),
        pytest.param({"amd.com/gpu": 0, "amd.com/spx_nps1": 8}, Naming.MIXED, id="mixed, single once"),
        pytest.param({"amd.com/gpu": 8, "amd.com/spx_nps1": 0}, Naming.SINGLE, id="single, mixed once"),
        pytest.param({"amd.com/gpu": 0}, Naming.SINGLE, id="the plugin is away, it was single"),
        pytest.param({"amd.com/spx_nps1": 0}, Naming.MIXED, id="the plugin is away, it was mixed"),
    ],
)
def test_how_a_node_names_its_devices(devices: Mapping[str, int], want: Naming | None) -> None:
    assert naming_of(devices) is want


@pytest.mark.parametrize(
    ("modes", "naming", "want"),
    [
        pytest.param(["CPX/NPS4"] * 8, Naming.SINGLE, {"amd.com/gpu": 8}, id="single"),
        pytest.param(["CPX/NPS1"] * 8 + ["SPX/NPS1"], Naming.SINGLE, {}, id="single refuses several modes"),
        pytest.param(
            ["CPX/NPS1"] * 8 + ["SPX/NPS1"],
            Naming.MIXED,
            {"amd.com/cpx_nps1": 8, "amd.com/spx_nps1": 1},
            id="mixed counts each",
        ),
        pytest.param([], Naming.MIXED, {}, id="no partitions"),
    ],
)
def test_what_a_plugin_advertises(modes: Sequence[str], naming: Naming, want: Mapping[str, int]) -> None:
    assert advertised(map(mode, modes), naming) == want


def test_a_claims_name_follows_from_its_pods_uid_alone() -> None:
    suffixes = {claim_suffix(f"uid-{number}") for number in range(500)}
    assert len(suffixes) == 500
    assert claim_suffix("uid-7") == claim_suffix("uid-7")
    assert all(len(each) == 10 and each.isascii() and each.isalnum() and each == each.lower() for each in suffixes)
