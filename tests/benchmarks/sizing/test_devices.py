import pytest

from tests.benchmarks.sizing.devices import gfx_version, multiprocessors, platform, total_gib


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("AMD Instinct MI300X", 191.98, id="a product of ours"),
        pytest.param("AMD Instinct MI355X", 287.98, id="another"),
        pytest.param("NVIDIA H100 80GB", 79.19, id="by name"),
        pytest.param("NVIDIA A100 (40 GB, inferred from the budget)", 39.49, id="two of one name"),
        pytest.param("NVIDIA A100-SXM4-80GB", 79.25, id="as the driver writes it"),
        pytest.param("NVIDIA A100", None, id="two of one name, and neither is said"),
        pytest.param("NVIDIA L4 24GB", 22.03, id="not its larger sibling"),
        pytest.param("AMD MI50 class gfx906 32GB", 31.52, id="by size"),
        pytest.param("AMD Strix Halo 128 GB unified", None, id="the host decides"),
        pytest.param("NVIDIA (not named)", None, id="nothing to go by"),
    ],
)
def test_a_name_tells_how_much_memory_there_is(name: str, want: float | None) -> None:
    assert total_gib(name) == (None if want is None else pytest.approx(want, abs=0.01))


@pytest.mark.parametrize(
    ("name", "vendor", "want"),
    [
        *((name, "", "cuda") for name in ("H100 SXM", "A100-80GB", "RTX 4090", "L40S", "NVIDIA (not named)", "GH200")),
        *((name, "", "rocm") for name in ("MI300X", "R9700 32GB", "RX 7900 XTX", "Strix Halo gfx1151")),
        ("H100", "unknown", "cuda"),
        ("not named", "AMD", "rocm"),
        ("not named", "NVIDIA Corporation", "cuda"),
        ("not named", "", None),
        ("A100", "Intel", None),
    ],
)
def test_the_vendor_is_the_one_said_or_the_one_of_the_name(name: str, vendor: str, want: str | None) -> None:
    assert platform(name, vendor) == want


@pytest.mark.parametrize(
    ("name", "want"),
    [("AMD Instinct MI300X", 90402), ("MI100", 90008), ("MI50 16GB", 90006), ("x gfx906", 90006), ("gfx1201", 120001)],
)
def test_an_instruction_set_is_the_products_or_the_one_of_the_name(name: str, want: int) -> None:
    assert gfx_version(name) == want


@pytest.mark.parametrize(("name", "want"), [("MI300X", 304), ("H100 PCIe 80GB", 114), ("A100", 108), ("L4", None)])
def test_compute_units_are_known_of_some(name: str, want: int | None) -> None:
    assert multiprocessors(name) == want
