import pytest

from controller.agent.kfd import KfdNode, TopologyError, assemble, compute_mode_of, gpu_node, parse_properties
from controller.gpu.product import PRODUCTS, product_named

WHOLE = {"simd_count": 416, "simd_per_cu": 4, "device_id": 0x740F, "location_id": 0x6300, "drm_render_minor": 128}


def node(number: int = 1, **fields: int | None) -> KfdNode:
    values: dict[str, int | None] = {
        "device_id": 0x74A1,
        "domain": 0,
        "location_id": 0x500,
        "render_minor": 128,
        "simd_count": 152,
        "simd_per_cu": 4,
        "num_xcc": 1,
        "vram_bytes": None,
    }
    return KfdNode(number=number, **(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name, product in PRODUCTS.items() if product.partitionable])
@pytest.mark.parametrize("told", [True, False], ids=["dies told", "dies not told"])
def test_every_mode_is_recognised_by_its_partitions(name: str, told: bool) -> None:
    product = product_named(name)
    for compute in product.compute_modes:
        count = product.partition_count(compute)
        num_xcc = product.xcds // count if told else None
        assert compute_mode_of(product, count, num_xcc) == (compute, count)


@pytest.mark.parametrize(
    ("name", "count", "num_xcc", "want"),
    [
        pytest.param("MI300X", 7, 1, ("CPX", 8), id="one of eight is held by another driver"),
        pytest.param("MI300X", 7, None, (None, 7), id="seven, and nothing tells the dies"),
        pytest.param("MI300X", 9, 1, (None, 9), id="more than the dies"),
        pytest.param("MI300X", 2, 3, (None, 2), id="dies that divide into no mode"),
        pytest.param("MI300A", 2, None, (None, 2), id="MI300A has no DPX"),
        pytest.param("MI308X", 3, 1, ("CPX", 4), id="three of four"),
        pytest.param("MI210", 1, 1, ("SPX", 1), id="a product that cannot partition"),
        pytest.param("MI210", 2, 1, (None, 2), id="a product that cannot partition and yet did"),
        pytest.param(None, 1, 2, ("SPX", 1), id="unknown product, whole"),
        pytest.param(None, 4, 1, ("CPX", 4), id="unknown product, a die each"),
        pytest.param(None, 2, 4, ("DPX", 2), id="unknown product, two"),
        pytest.param(None, 5, None, (None, 5), id="unknown product, five"),
    ],
)
def test_odd_counts_are_read_honestly(
    name: str | None, count: int, num_xcc: int | None, want: tuple[str | None, int]
) -> None:
    product = product_named(name) if name else None
    assert compute_mode_of(product, count, num_xcc) == want


def test_nodes_of_one_gpu_become_its_partitions_by_id() -> None:
    nodes = [node(number=9 - i, location_id=0x507 - i, render_minor=135 - i, vram_bytes=24 << 30) for i in range(8)]
    (gpu,) = assemble(nodes).gpus
    assert [(part.id, part.render_minor, part.compute_units) for part in gpu.partitions] == [
        (index, 128 + index, 38) for index in range(8)
    ]
    assert (gpu.vram_bytes, gpu.missing_partitions) == (8 * 24 << 30, 0)


@pytest.mark.parametrize("sizes", [[24 << 30] * 7, [24 << 30] * 7 + [None]], ids=["one missing", "one untold"])
def test_a_sum_that_would_be_too_small_is_not_given(sizes: list[int | None]) -> None:
    nodes = [node(number=i, location_id=0x500 + i, vram_bytes=size) for i, size in enumerate(sizes)]
    assert assemble(nodes).gpus[0].vram_bytes is None


def test_an_unknown_device_is_named_by_its_id() -> None:
    assert assemble([node(device_id=0x6860)]).gpus[0].product_name == "unknown (0x6860)"


def test_two_nodes_may_not_be_one_partition() -> None:
    with pytest.raises(TopologyError, match="nodes 1 and 2 both are partition 0 of GPU 0000:05:00"):
        assemble([node(number=1), node(number=2)])


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param(
            [{"simd_count": 153}], "node 1: simd_count 153 is no multiple of simd_per_cu 4", id="no whole unit"
        ),
        pytest.param(
            [{}, {"location_id": 0x501, "simd_count": 148}],
            "node 2: simd_count 148, and node 1 of the same GPU 0000:05:00.0 has 152",
            id="a GPU's partitions differ",
        ),
        pytest.param(
            [{"simd_count": 156}],
            "simd_count 156 with simd_per_cu 4 is 39 compute units, and 1 of the 8 dies of MI300X .* have 38",
            id="more than a die has",
        ),
        pytest.param([{"simd_count": 72}], "is 18 compute units", id="less than half of a die"),
        pytest.param(
            [{"simd_count": 1220, "num_xcc": None}],
            "305 compute units, and 8 of the 8 dies of MI300X .* have 304",
            id="more than all",
        ),
        pytest.param([{"simd_per_cu": 2}], "simd_per_cu 2 is 76 compute units", id="other SIMDs a unit"),
        pytest.param([{"device_id": 0x740F, "simd_count": 4}], "1 of the 1 dies of MI210", id="not divided"),
    ],
)
def test_a_count_that_the_product_cannot_have_is_refused(fields: list[dict[str, int | None]], want: str) -> None:
    with pytest.raises(TopologyError, match=want):
        assemble([node(number=number, **one) for number, one in enumerate(fields, 1)])


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        pytest.param({}, 38, id="as published"),
        pytest.param({"simd_count": 144}, 36, id="a card with more units fused off"),
        pytest.param({"simd_count": 76}, 19, id="half of them"),
        pytest.param({"device_id": 0x74A2, "simd_count": 160}, 40, id="a product whose units AMD does not publish"),
        pytest.param({"device_id": 0x6860, "simd_count": 4}, 1, id="an unknown product"),
    ],
)
def test_fewer_units_than_published_are_read_as_they_are(fields: dict[str, int], units: int) -> None:
    assert assemble([node(**fields)]).gpus[0].partitions[0].compute_units == units


def test_the_domain_defaults_to_zero_where_old_kernels_tell_none() -> None:
    read = gpu_node(1, WHOLE, None, "x")
    assert read is not None
    assert read.domain == 0


@pytest.mark.parametrize("key", [key for key in WHOLE if key != "simd_count"])
def test_properties_cut_off_are_refused_by_the_missing_name(key: str) -> None:
    properties = {name: value for name, value in WHOLE.items() if name != key}
    with pytest.raises(TopologyError, match=f"nodes/1/properties: has no {key}"):
        gpu_node(1, properties, None, "nodes/1/properties")


@pytest.mark.parametrize(
    ("change", "want"),
    [({"vendor_id": 0x10DE}, "vendor_id 0x10de"), ({"simd_per_cu": 0}, "is no AMD GPU")],
    ids=["another vendor", "no SIMDs a unit"],
)
def test_what_is_no_amd_gpu_is_refused(change: dict[str, int], want: str) -> None:
    with pytest.raises(TopologyError, match=want):
        gpu_node(1, WHOLE | change, None, "x")


@pytest.mark.parametrize(
    "text", ["simd_count", "simd_count x", "simd_count -1", "a b 1", "\x00\x01", "simd_count 1\nsimd_p"]
)
def test_lines_that_are_no_pair_are_refused(text: str) -> None:
    with pytest.raises(TopologyError, match="nodes/1/properties: line"):
        parse_properties(text, "nodes/1/properties")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(TopologyError, match="x: is empty"):
        parse_properties("", "x")
