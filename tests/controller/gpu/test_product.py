import pytest

from controller.gpu.layout import slices
from controller.gpu.mode import ComputeMode, Mode, ModeError
from controller.gpu.product import PRODUCTS, UnknownProduct, product_named, product_of_device

MIB = 2**20


@pytest.mark.parametrize(
    ("mode", "want_count", "want_mib", "want_units"),
    [
        ("SPX/NPS1", 1, 196592, 304),
        ("DPX/NPS1", 2, 98296, 152),
        ("DPX/NPS2", 2, 98296, 152),
        ("QPX/NPS1", 4, 49148, 76),
        ("QPX/NPS4", 4, 49148, 76),
        ("CPX/NPS1", 8, 24574, 38),
        ("CPX/NPS4", 8, 24574, 38),
    ],
)
def test_an_mi300x_divides_as_amd_says(mode: str, want_count: int, want_mib: int, want_units: int) -> None:
    pieces = slices(product_named("MI300X"), Mode.parse(mode))
    assert [piece.index for piece in pieces] == list(range(want_count))
    assert {(piece.bytes, piece.compute_units) for piece in pieces} == {(want_mib * MIB, want_units)}


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("MI325X", "SPX DPX QPX CPX"),
        ("MI350X", "SPX DPX QPX CPX"),
        ("MI355X", "SPX DPX QPX CPX"),
        ("MI300A", "SPX TPX CPX"),
        ("MI308X", "SPX DPX CPX"),
        ("MI250X", "SPX"),
        ("MI210", "SPX"),
        ("MI100", "SPX"),
    ],
)
def test_compute_modes_are_those_the_driver_allows(name: str, want: str) -> None:
    assert product_named(name).compute_modes == tuple(ComputeMode(mode) for mode in want.split())


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_mode_of_every_product_stays_within_the_whole(name: str) -> None:
    product = product_named(name)
    assert product.validated <= frozenset(product.allowed)
    for mode in product.allowed:
        pieces = slices(product, mode)
        assert sum(piece.bytes for piece in pieces) <= (product.vram_mib or 0) * MIB
        assert sum(piece.compute_units for piece in pieces) == product.compute_units


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_fact_has_a_source(name: str) -> None:
    sources = product_named(name).sources
    assert all((sources.ids, sources.memory, sources.compute_units, sources.allowed, sources.validated))


def test_weak_sources_are_flagged() -> None:
    assert {name for name, product in PRODUCTS.items() if product.sources.weak} == {
        "MI350X",
        "MI300A",
        "MI308X",
        "MI250X",
    }


PAIRS = {
    "MI300X": "SPX/NPS1 DPX/NPS1 DPX/NPS2 QPX/NPS1 QPX/NPS4 CPX/NPS1 CPX/NPS4",
    "MI325X": "SPX/NPS1 DPX/NPS1 DPX/NPS2 QPX/NPS1 QPX/NPS4 CPX/NPS1 CPX/NPS4",
    "MI350X": "SPX/NPS1 DPX/NPS1 DPX/NPS2 QPX/NPS1 QPX/NPS2 QPX/NPS4 CPX/NPS1 CPX/NPS2 CPX/NPS4",
    "MI355X": "SPX/NPS1 DPX/NPS1 DPX/NPS2 QPX/NPS1 QPX/NPS2 QPX/NPS4 CPX/NPS1 CPX/NPS2 CPX/NPS4",
    "MI300A": "SPX/NPS1 TPX/NPS1 CPX/NPS1",
    "MI308X": "SPX/NPS1 DPX/NPS1 DPX/NPS2 CPX/NPS1 CPX/NPS4",
    "MI250X": "SPX/NPS1",
    "MI210": "SPX/NPS1",
    "MI100": "SPX/NPS1",
}
VALIDATED = {
    "MI300X": "SPX/NPS1 DPX/NPS2 CPX/NPS4",
    "MI325X": "SPX/NPS1",
    "MI350X": "SPX/NPS1 DPX/NPS2",
    "MI355X": "SPX/NPS1 DPX/NPS2",
    "MI300A": "SPX/NPS1",
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_modes_are_the_drivers_pairs_and_amds_tested_ones(name: str) -> None:
    product = product_named(name)
    assert " ".join(map(str, product.allowed)) == PAIRS[name]
    assert {str(mode) for mode in product.validated} == set(VALIDATED.get(name, "SPX/NPS1").split())


@pytest.mark.parametrize(("device_id", "want"), [(0x74A1, False), (0x74B5, True), (0x74B9, True), (0x75A0, False)])
def test_cpx_with_nps2_is_known_on_virtual_functions_only(device_id: int, want: bool) -> None:
    product = product_of_device(device_id)
    assert product is not None
    if product.name.startswith("MI300"):
        assert Mode.parse("CPX/NPS2") not in product.allowed
        assert (
            product.partition_count(ComputeMode.CPX) * product.partition_bytes(Mode.parse("CPX/NPS2")) <= 196592 * MIB
        )
    assert (Mode.parse("CPX/NPS2") in product.modes_of(device_id)) == (want or product.name == "MI350X")


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_device_id_of_a_product_is_that_of_a_whole_one(name: str) -> None:
    product = product_named(name)
    assert product_of_device(product.device_id) is product
    assert product.virtual_device_ids < product.device_ids
    assert product.modes_of(product.device_id) == product.allowed


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("MI300X", "SPX/NPS4"),
        ("MI300X", "TPX/NPS1"),
        ("MI300A", "DPX/NPS1"),
        ("MI300A", "CPX/NPS4"),
        ("MI210", "CPX/NPS1"),
    ],
)
def test_a_mode_the_product_has_not_got_is_refused(name: str, mode: str) -> None:
    with pytest.raises(ModeError, match=f"{mode} does not exist on {name}: use one of SPX/NPS1"):
        product_named(name).partition_bytes(Mode.parse(mode))


def test_a_compute_mode_the_product_has_not_got_has_no_count() -> None:
    with pytest.raises(ModeError, match="TPX does not exist on MI300X"):
        product_named("MI300X").partition_count(ComputeMode.TPX)


@pytest.mark.parametrize(
    ("device_id", "want"),
    [
        (0x74A0, "MI300A"),
        (29857, "MI300X"),
        (0x74B5, "MI300X"),
        (0x74A2, "MI308X"),
        (0x74A5, "MI325X"),
        (0x75A0, "MI350X"),
        (0x75A3, "MI355X"),
        (0x7408, "MI250X"),
        (0x740C, "MI250X"),
        (0x740F, "MI210"),
        (0x738C, "MI100"),
    ],
)
def test_device_ids_name_their_product(device_id: int, want: str) -> None:
    product = product_of_device(device_id)
    assert product is not None
    assert product.name == want


def test_no_device_id_belongs_to_two_products() -> None:
    ids = [device_id for product in PRODUCTS.values() for device_id in product.device_ids]
    assert len(ids) == len(set(ids))


def test_an_unknown_device_has_no_product() -> None:
    assert product_of_device(0x1234) is None


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownProduct, match="'H100' is not a known product: use one of MI300X"):
        product_named("H100")


@pytest.mark.parametrize("typed", ["mi300x", "Mi300X"])
def test_one_in_other_letters_is_told_how_it_is_written(typed: str) -> None:
    with pytest.raises(UnknownProduct, match=f"'{typed}' is not a known product: did you mean MI300X\\?"):
        product_named(typed)
