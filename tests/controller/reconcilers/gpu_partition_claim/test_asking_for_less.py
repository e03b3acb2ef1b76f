from dataclasses import replace

from controller.placement.changes.change import Kind
from controller.placement.changes.smaller import Smaller
from controller.placement.demand import Demand, Shared
from controller.reconcilers.gpu_partition_claim.admit import Need, need_of
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.translate.pod import PodView, plugin_claim_name, pod_view
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


def test_a_pod_may_be_spread_over_as_many_partitions_as_the_model_divides_by_and_a_resource_claim_takes() -> None:
    view = pod("deepseek-ai/DeepSeek-V3", precision="fp8")
    found = ways(view, Kind.COUNT)
    assert [way.value for way in found] == ["2", "4", "8", "16"], "with more ranks scales would be torn apart"
    assert found[0].field == "aim.amd.com/partition-count"
    assert [way.value for way in ways(pod("meta-llama/Llama-3.1-70B-Instruct"), Kind.COUNT)][-1] == "32"


def test_a_pod_of_the_device_plugin_takes_more_by_its_own_limit() -> None:
    plain = pod("meta-llama/Llama-3.1-70B-Instruct")
    view = replace(plain, devices={"amd.com/gpu": 1}, claim=plugin_claim_name(plain.uid))
    asked = replace(asked_by(view), resource="amd.com/gpu")
    found = [way for way in Lesser(view, None, SIZING)(asked) if way.kind is Kind.COUNT]
    assert (found[0].field, found[-1].value) == ("the pod's limit of amd.com/gpu", "64")


def test_a_pod_of_many_partitions_may_have_fewer_and_the_nearest_number_first() -> None:
    view = pod("meta-llama/Llama-3.1-70B-Instruct", partition_count="8")
    eight = asked_by(view)
    asked = replace(eight, requirement=replace(eight.requirement, count=8))
    found = [way for way in Lesser(view, None, SIZING)(asked) if way.kind is Kind.COUNT]
    assert [(way.value, way.lost) for way in found] == [
        ("1", 7), ("2", 6), ("4", 4), ("16", 8000), ("32", 24000)
    ]  # fmt: skip
    assert all(way.requirement.count == int(way.value) for way in found)


def test_members_of_a_share_group_share_the_one_partition() -> None:
    shared = replace(asked_by(pod()), shared=Shared("group", ()))
    assert Lesser(pod(), None, SIZING)(shared) == ()


def test_a_model_that_cannot_be_sized_has_no_way() -> None:
    assert Lesser(pod("nobody/knows"), None, SIZING)(demand()) == ()
