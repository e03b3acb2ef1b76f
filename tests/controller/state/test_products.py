from controller.runtime.cache.store import EventType, StoreEvent
from controller.state.products import Products
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node


def test_products_come_and_go_with_the_nodes_that_have_them() -> None:
    products = Products()
    seen = []
    for name, node in (
        ("a", gpu_node("a", gpu(product="MI300X"))),
        ("b", gpu_node("b", gpu(product="MI325X"))),
        ("c", gpu_node("c", gpu(product="MI325X"))),
        ("b", None),
        ("c", gpu_node("c", gpu(product="MI300X"))),
        ("a", None),
    ):
        products.take(StoreEvent(EventType.MODIFIED, name, None, node))
        seen.append(sorted(products.known))
    assert seen == [
        ["MI300X"],
        ["MI300X", "MI325X"],
        ["MI300X", "MI325X"],
        ["MI300X", "MI325X"],
        ["MI300X"],
        ["MI300X"],
    ]


def test_a_node_that_cannot_be_read_has_none() -> None:
    products = Products()
    products.take(StoreEvent(EventType.ADDED, "a", None, gpu_node("a") | {"status": {"gpus": [{"bdf": 1}]}}))
    assert products.known == frozenset()
