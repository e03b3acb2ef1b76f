from dataclasses import replace

from controller.placement.changes.change import Kind
from controller.placement.changes.smaller import Smaller
from controller.placement.demand import Demand
from controller.reconcilers.gpu_partition_claim.admit import Need, need_of
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.translate.pod import PodView, pod_view
from tests.builders.demand import demand
from tests.builders.pod import OPTED_IN, typed_pod

SIZING = Models(Catalog.bundled())


def pod(model: str = "meta-llama/Llama-3.1-8B-Instruct", **asked: str) -> PodView:
    more = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in asked.items()}
    return pod_view(typed_pod(annotations=OPTED_IN | {"aim.amd.com/model-id": model} | more))


def asked_by(view: PodView) -> Demand:
    need = need_of(view, SIZING)
    assert isinstance(need, Need)
    plain = demand()
    asked = replace(plain.requirement, bytes=need.sizing.total_bytes, precision=need.sizing.precision)
    return replace(plain, requirement=asked)


def ways(view: PodView, kind: Kind) -> list[Smaller]:
    return [way for way in Lesser(view, None, SIZING)(asked_by(view)) if way.kind is kind]


def test_concurrency_is_halved_down_to_one() -> None:
    found = ways(pod(max_concurrency="8"), Kind.CONCURRENCY)
    assert [(way.value, way.lost) for way in found] == [("4", 500), ("2", 750), ("1", 875)]
    assert found[0].field == "aim.amd.com/max-concurrency"


def test_length_is_halved_and_no_shorter_than_what_serves_anybody() -> None:
    assert [way.value for way in ways(pod(max_model_len="4096"), Kind.LENGTH)] == ["2048", "1024"]


def test_each_way_takes_less_but_for_a_larger_precision() -> None:
    view = pod(precision="fp8")
    asked = asked_by(view).requirement.bytes
    for way in Lesser(view, None, SIZING)(asked_by(view)):
        assert (way.requirement.bytes < asked) == (way.lost > 0), way
    assert {way.value for way in ways(view, Kind.PRECISION)} >= {"bf16", "int4"}


def test_a_service_of_ours_is_told_its_own_fields() -> None:
    view = replace(pod(), labels={"aim.amd.com/inference-service": "chat"})
    assert ways(view, Kind.PRECISION)[0].field == "spec.model.precision"


def test_a_model_that_cannot_be_sized_has_no_way() -> None:
    assert Lesser(pod("nobody/knows"), None, SIZING)(demand()) == ()
