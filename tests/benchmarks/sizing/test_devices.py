import pytest

from tests.benchmarks.sizing.devices import total_gib


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
