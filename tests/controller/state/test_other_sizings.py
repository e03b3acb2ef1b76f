from controller.placement.changes.change import Kind
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import SizingRequest
from controller.state.models import Models
from controller.state.other_sizings import Asked, OtherSizing, other_sizings

MODELS = Models(Catalog.bundled())


def others(model: str, most: int = 32, **fields: int) -> list[OtherSizing]:
    request = SizingRequest(model, **fields)  # type: ignore[arg-type]
    return list(other_sizings(MODELS, Asked(request, None, MODELS.size(request)), most))


def test_each_way_changes_one_figure_and_is_sized_by_it() -> None:
    found = others("meta-llama/Llama-3.1-8B-Instruct", max_concurrency=4, max_model_len=4096)
    assert [(way.value, way.sizing.max_concurrency) for way in found if way.kind is Kind.CONCURRENCY] == [
        (2, 2),
        (1, 1),
    ]
    assert [(way.value, way.sizing.max_model_len) for way in found if way.kind is Kind.LENGTH] == [
        (2048, 2048),
        (1024, 1024),
    ]
    assert all(way.sizing.tensor_parallel == way.value for way in found if way.kind is Kind.COUNT)


def test_no_more_partitions_than_a_pod_can_have() -> None:
    counts = [way.value for way in others("meta-llama/Llama-3.1-8B-Instruct", most=8) if way.kind is Kind.COUNT]
    assert counts == [2, 4, 8]


def test_a_precision_that_the_model_has_not_is_no_way() -> None:
    assert not [way for way in others("openai/gpt-oss-20b") if way.kind is Kind.PRECISION and way.value == "int4"]
