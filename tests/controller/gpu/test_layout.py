import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gpu.layout import choices, is_layout, layouts
from controller.gpu.mode import ComputeMode, MemoryMode, Mode, mode
from controller.gpu.product import PRODUCTS, product_named

BDFS = ("0000:05:00.0", "0000:27:00.0", "0000:47:00.0")
modes = st.builds(Mode, st.sampled_from(ComputeMode), st.sampled_from(MemoryMode))
nodes = st.dictionaries(st.sampled_from(BDFS), st.lists(modes, max_size=6, unique=True).map(tuple), max_size=3)


@given(nodes)
def test_every_layout_has_one_memory_mode_and_only_modes_that_each_gpu_has(
    allowed: dict[str, tuple[Mode, ...]],
) -> None:
    for layout in layouts(allowed):
        assert layout.keys() == allowed.keys()
        assert len({entry.memory for entry in layout.values()}) == 1
        assert all(entry in allowed[bdf] for bdf, entry in layout.items())
        assert is_layout(allowed, layout)


@given(nodes)
def test_layouts_are_counted_and_none_comes_twice(allowed: dict[str, tuple[Mode, ...]]) -> None:
    found = [tuple(layout.items()) for layout in layouts(allowed)]
    assert len(found) == len(set(found)) == sum(choice.layouts for choice in choices(allowed))


@given(nodes, st.data())
def test_whatever_is_a_layout_is_among_them(allowed: dict[str, tuple[Mode, ...]], data: st.DataObject) -> None:
    asked = {bdf: data.draw(st.sampled_from(own) if own else modes) for bdf, own in allowed.items()}
    assert is_layout(allowed, asked) == (asked in list(layouts(allowed)))


@given(nodes)
def test_a_gpu_with_nothing_in_common_leaves_no_choice(allowed: dict[str, tuple[Mode, ...]]) -> None:
    only_nps1 = {bdf: tuple(entry for entry in own if entry.memory is MemoryMode.NPS1) for bdf, own in allowed.items()}
    other = {**only_nps1, "0001:05:00.0": (mode("CPX/NPS4"),)}
    assert choices(other) == (() if only_nps1 else choices({"0001:05:00.0": (mode("CPX/NPS4"),)}))


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("MI300X", {"NPS1": "SPX DPX QPX CPX", "NPS2": "DPX", "NPS4": "QPX CPX"}),
        ("MI355X", {"NPS1": "SPX DPX QPX CPX", "NPS2": "DPX QPX CPX", "NPS4": "QPX CPX"}),
        ("MI300A", {"NPS1": "SPX TPX CPX"}),
        ("MI308X", {"NPS1": "SPX DPX CPX", "NPS2": "DPX", "NPS4": "CPX"}),
        ("MI210", {"NPS1": "SPX"}),
    ],
)
def test_what_a_node_of_two_can_choose(name: str, want: dict[str, str]) -> None:
    found = choices(dict.fromkeys(BDFS[:2], product_named(name).allowed))
    assert {choice.memory: " ".join(choice.compute[BDFS[1]]) for choice in found} == want
    assert [choice.layouts for choice in found] == [len(compute.split()) ** 2 for compute in want.values()]


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_node_can_always_be_whole_again(name: str) -> None:
    allowed = dict.fromkeys(BDFS, product_named(name).allowed)
    assert is_layout(allowed, dict.fromkeys(BDFS, mode("SPX/NPS1")))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="nothing"),
        pytest.param({BDFS[0]: "DPX/NPS1"}, id="a gpu is not named"),
        pytest.param({BDFS[0]: "DPX/NPS1", BDFS[1]: "DPX/NPS2"}, id="two memory modes"),
        pytest.param({BDFS[0]: "SPX/NPS1", BDFS[1]: "TPX/NPS1"}, id="a mode it has not got"),
        pytest.param(dict.fromkeys(BDFS, "SPX/NPS1"), id="a gpu too many"),
    ],
)
def test_what_a_node_cannot_be(asked: dict[str, str]) -> None:
    allowed = dict.fromkeys(BDFS[:2], product_named("MI300X").allowed)
    assert not is_layout(allowed, {bdf: mode(text) for bdf, text in asked.items()})
