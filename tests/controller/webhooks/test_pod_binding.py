"""By what a pod asks for its GPU, on clusters whose caches hold what a test lists."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from api.object import dump
from controller.placement.snapshot import Gpu
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.translate.request import PodRequest, parse_request
from controller.webhooks.pod_binding import SYNC_SECONDS, PodBinding
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.model_profile import model_profile
from tests.builders.node import node_object
from tests.builders.pod import OPTED_IN
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import NAMESPACES, Ground

SIZING = Models(Catalog.bundled())
SMALL = {"aim.amd.com/model-id": "Qwen/Qwen3-4B"}
BIG = {"aim.amd.com/model-id": "Qwen/Qwen3-32B", "aim.amd.com/precision": "fp8", "aim.amd.com/max-concurrency": "2"}
HUGE = {"aim.amd.com/model-id": "deepseek-ai/DeepSeek-R1"}
UNKNOWN = {"aim.amd.com/model-id": "no/such"}
CPX, QPX = "amd.com/cpx_nps1", "amd.com/qpx_nps1"
SINGLE = {"amd.com/gpu": 8}
MIXED = {CPX: 8}
PLUGIN = policy_object("plugin", node_labels={"pool": "plugin"}, binding="DevicePlugin", validatedOnly=False)


def node(ground: Ground, name: str, gpus: Sequence[Gpu], devices: Mapping[str, int], pool: str = "plugin") -> None:
    """A managed node whose device plugin advertises `devices`."""
    counts = {resource: str(count) for resource, count in devices.items()}
    allocatable = {"cpu": "8", "memory": "8Gi", "pods": "9", **counts}
    ground.fed.put(ground.cluster.nodes, node_object(name, labels={"pool": pool}, allocatable=allocatable))
    ground.fed.put(ground.cluster.gpu_nodes, gpu_node(name, *gpus))


def ground(*policies: dict[str, Any], served: bool = True, services: Sequence[dict[str, Any]] = ()) -> Ground:
    made = Ground(policies=policies, services=services)
    made.cluster.resource_claims.served = served
    return made


def request(model: Mapping[str, str] = SMALL, **more: str) -> PodRequest:
    asked = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in more.items()}
    parsed = parse_request(OPTED_IN | dict(model) | asked)
    assert isinstance(parsed, PodRequest), parsed
    return parsed


def resource(on: Ground, wanted: PodRequest, namespace: str = "team-a", **labels: str) -> str:
    return PodBinding(on.cluster, SIZING).resource(namespace, labels, wanted)


def test_a_model_profile_says_how_large_the_partition_must_be() -> None:
    on = ground(PLUGIN)
    node(on, "n", [gpu(0, "CPX/NPS1"), gpu(1, "QPX/NPS1")], {CPX: 8, QPX: 4})
    on.fed.put(on.cluster.model_profiles, model_profile("mine", overrides={"weightsBytes": 30 << 30}))
    binding = PodBinding(on.cluster, on.models)
    asked = [binding.resource("team-a", {}, one) for one in (request(), request(model_profile="mine"))]
    assert asked == [CPX, QPX]


CPX_GPU, QPX_GPU = gpu(0, "CPX/NPS1"), gpu(1, "QPX/NPS1")


@pytest.mark.parametrize(
    ("model", "mode", "devices", "want"),
    [
        pytest.param(SMALL, None, SINGLE, "amd.com/gpu", id="single naming has one name"),
        pytest.param(HUGE, None, SINGLE, "amd.com/gpu", id="whether it fits or not"),
        pytest.param(SMALL, None, {CPX: 8, QPX: 4}, CPX, id="the smallest partition that fits"),
        pytest.param(BIG, None, {CPX: 8, QPX: 4}, QPX, id="a model too large for that one"),
        pytest.param(SMALL, "QPX/NPS1", {CPX: 8, QPX: 4}, QPX, id="the mode asked for"),
        pytest.param(SMALL, "SPX/NPS1", {CPX: 8, QPX: 4}, "amd.com/spx_nps1", id="a mode that no GPU is in"),
        pytest.param(HUGE, None, {CPX: 8, QPX: 4}, QPX, id="too large for all: the largest, and the claim says why"),
        pytest.param(UNKNOWN, None, {CPX: 8, QPX: 4}, CPX, id="a model that nobody can size"),
        pytest.param(SMALL, None, {CPX: 0, QPX: 0}, CPX, id="the plugin is away for a moment"),
        pytest.param(SMALL, None, {}, CPX, id="the plugin never came, and single naming refuses different modes"),
        pytest.param(SMALL, None, {QPX: 4}, QPX, id="what is advertised goes before a mode that is left out"),
        pytest.param(SMALL, "CPX/NPS1", {QPX: 4}, CPX, id="the mode asked for, left out as it is"),
    ],
)
def test_the_resource_follows_from_need_and_naming(
    model: Mapping[str, str], mode: str | None, devices: Mapping[str, int], want: str
) -> None:
    on = ground(PLUGIN)
    node(on, "a", [CPX_GPU, QPX_GPU], devices)
    assert resource(on, request(model, **({"partition_mode": mode} if mode else {}))) == want


@pytest.mark.parametrize(
    ("precision", "want"),
    [
        pytest.param("bf16", "amd.com/spx_nps1", id="the smaller GPU, which is an older one"),
        pytest.param("fp8", "amd.com/dpx_nps1", id="one that serves the precision"),
    ],
)
def test_a_pod_asks_for_a_gpu_that_serves_its_precision(precision: str, want: str) -> None:
    on = ground(PLUGIN)
    node(on, "new", [gpu(0, "DPX/NPS1")], {"amd.com/dpx_nps1": 2})
    node(on, "old", [gpu(0, "SPX/NPS1", product="MI210")], {"amd.com/spx_nps1": 1})
    assert resource(on, request(SMALL, precision=precision)) == want


@pytest.mark.parametrize(
    ("model", "devices", "want"),
    [
        pytest.param(SMALL, {QPX: 4}, QPX, id="what the other advertises"),
        pytest.param(SMALL, {QPX: 0}, QPX, id="also when its plugin is away for a moment"),
        pytest.param(BIG, {CPX: 8}, "amd.com/dpx_nps1", id="only the silent node's partitions fit: as the other names"),
        pytest.param(HUGE, {CPX: 8}, CPX, id="none fits: the claim says why"),
        pytest.param(BIG, SINGLE, "amd.com/gpu", id="single naming is the silent node's, too"),
        pytest.param(SMALL, {}, "amd.com/gpu", id="nobody advertises: the plugin's default"),
    ],
)
def test_a_node_that_advertises_nothing_decides_no_name_beside_others(
    model: Mapping[str, str], devices: Mapping[str, int], want: str
) -> None:
    on = ground(PLUGIN)
    node(on, "a", [QPX_GPU if QPX in devices else CPX_GPU], devices)
    node(on, "b", [gpu(0, "DPX/NPS1")], {})
    for _ in ("the pod", "its successor"):
        assert resource(on, request(model)) == want


def test_a_successor_asks_as_nodes_advertise_by_then() -> None:
    on = ground(PLUGIN)
    node(on, "a", [CPX_GPU], {})
    binding = PodBinding(on.cluster, SIZING)
    first = binding.resource("team-a", {}, request())
    node(on, "a", [CPX_GPU], MIXED)
    assert (first, binding.resource("team-a", {}, request())) == ("amd.com/gpu", CPX)


def test_a_change_that_a_policy_may_make_goes_before_a_node_that_advertises_nothing() -> None:
    rules: dict[str, Any] = {"validatedOnly": False, "repartition": {"enabled": True}}
    modes = ["CPX/NPS1", "QPX/NPS1", "DPX/NPS1"]
    on = ground(policy_object("plugin", binding="DevicePlugin", allowedModes=modes, **rules))
    node(on, "a", [CPX_GPU], MIXED)
    node(on, "b", [gpu(0, "DPX/NPS1")], {})
    assert resource(on, request(BIG)) == QPX


@pytest.mark.parametrize(
    ("enabled", "want"),
    [
        pytest.param(True, "amd.com/qpx_nps1", id="the policy may make it"),
        pytest.param(False, "amd.com/cpx_nps1", id="nobody may: the largest there is"),
    ],
)
def test_a_mode_that_the_policy_may_change_to_counts(enabled: bool, want: str) -> None:
    modes, rules = ["CPX/NPS1", "QPX/NPS1"], {"enabled": enabled}
    spec: dict[str, Any] = {"binding": "DevicePlugin", "validatedOnly": False, "repartition": rules}
    on = ground(policy_object("plugin", allowedModes=modes, **spec))
    node(on, "a", [CPX_GPU], MIXED)
    assert resource(on, request(BIG)) == want


def test_what_is_there_goes_before_what_could_be_made() -> None:
    on = ground(policy_object("plugin", binding="DevicePlugin", validatedOnly=False, repartition={"enabled": True}))
    node(on, "a", [QPX_GPU], {QPX: 4})
    assert resource(on, request(SMALL)) == QPX


def test_a_service_may_ask_for_more_memory_than_its_model_needs() -> None:
    service = inference_service("chat", gpuSharing={"partition": {"minMemory": "40Gi"}})
    on = ground(PLUGIN, services=[dump(service)])
    node(on, "a", [CPX_GPU, QPX_GPU], {CPX: 8, QPX: 4})
    assert resource(on, request(), **{"aim.amd.com/inference-service": "chat"}) == QPX


@pytest.mark.parametrize(
    ("model", "policy", "want"),
    [
        pytest.param(SMALL, None, "", id="both fit: ResourceClaims go before"),
        pytest.param(BIG, None, QPX, id="only the device plugin's GPUs are large enough"),
        pytest.param(HUGE, None, "", id="nothing fits"),
        pytest.param(SMALL, "plugin", CPX, id="the policy asked for has the device plugin"),
        pytest.param(BIG, "other", "", id="the policy asked for rules no such node"),
    ],
)
def test_beside_nodes_with_resource_claims(model: Mapping[str, str], policy: str | None, want: str) -> None:
    on = ground(PLUGIN, policy_object("other", node_labels={"pool": "dra"}))
    node(on, "a", [CPX_GPU, QPX_GPU], {CPX: 8, QPX: 4})
    node(on, "b", [CPX_GPU], {}, pool="dra")
    assert resource(on, request(model, **({"policy": policy} if policy else {}))) == want


@pytest.mark.parametrize(
    ("namespace", "want"),
    [
        pytest.param("team-a", "amd.com/gpu", id="a namespace of the policy"),
        pytest.param("team-b", "", id="another namespace"),
        pytest.param("team-new", "amd.com/gpu", id="one that is not known yet"),
    ],
)
def test_a_policy_counts_for_its_namespaces(namespace: str, want: str) -> None:
    on = ground(policy_object("plugin", namespace_labels=NAMESPACES["team-a"], binding="DevicePlugin"))
    assert resource(on, request(), namespace) == want
    node(on, "a", [CPX_GPU], SINGLE)
    assert resource(on, request(), namespace) == want


@pytest.mark.parametrize(
    ("policies", "served", "want"),
    [
        pytest.param([], True, "", id="ResourceClaims where they are served"),
        pytest.param([], False, "amd.com/gpu", id="the device plugin where they are not"),
        pytest.param([policy_object(binding="DRA")], False, "amd.com/gpu", id="whatever a policy says"),
        pytest.param([PLUGIN], True, "amd.com/gpu", id="the policies agree"),
        pytest.param([PLUGIN, policy_object("other")], True, "", id="they do not"),
    ],
)
def test_before_any_node_is_there(policies: list[dict[str, Any]], served: bool, want: str) -> None:
    assert resource(ground(*policies, served=served), request()) == want


def test_equal_clusters_give_equal_answers_whatever_the_order() -> None:
    answers = set()
    for order in (("a", "b"), ("b", "a")):
        on = ground(PLUGIN)
        for name in order:
            node(on, name, [CPX_GPU], SINGLE if name == "a" else MIXED)
        answers.add(resource(on, request()))
    assert answers == {CPX}


def test_what_is_known_of_nodes_follows_nodes_policies_and_the_api_server() -> None:
    on = ground(PLUGIN)
    node(on, "a", [CPX_GPU], SINGLE)
    binding = PodBinding(on.cluster, SIZING)
    answers = [binding.resource("team-a", {}, request())]

    def again() -> None:
        answers.append(binding.resource("team-a", {}, request()))

    node(on, "a", [CPX_GPU], MIXED)
    again()
    node(on, "a", [QPX_GPU], {QPX: 4})
    again()
    on.fed.put(on.cluster.policies, PLUGIN | {"spec": PLUGIN["spec"] | {"binding": "DRA"}})
    again()
    on.cluster.resource_claims.served = False
    again()
    on.fed.drop(on.cluster.gpu_nodes, gpu_node("a"))
    again()
    assert answers == ["amd.com/gpu", CPX, QPX, "", QPX, "amd.com/gpu"]


async def waited(on: Ground, meanwhile: Any = None) -> bool:
    async with asyncio.TaskGroup() as tasks:
        known = tasks.create_task(PodBinding(on.cluster, SIZING).known())
        await on.fed.clock.advance(0.2)
        if meanwhile is not None:
            meanwhile()
        await on.fed.clock.advance(SYNC_SECONDS)
    return known.result()


async def test_a_pod_waits_a_moment_for_caches_that_are_being_filled() -> None:
    on = ground(PLUGIN)
    on.cluster.resource_claims.served = None

    def answer() -> None:
        on.cluster.resource_claims.served = True

    assert await waited(on, answer)


async def test_and_no_longer() -> None:
    assert not await waited(Ground(synced=False))


async def test_with_resource_claims_everywhere_nodes_need_not_be_known() -> None:
    on = Ground(synced=False)
    on.fed.listed(on.cluster.policies)
    on.cluster.resource_claims.served = True
    assert await PodBinding(on.cluster, SIZING).known()


def test_a_pod_of_a_service_asks_for_as_many_as_it_wants_each_large_enough_for_a_rank() -> None:
    split = dump(inference_service(gpuSharing={"partition": {"count": 4}}))
    made = ground(PLUGIN, services=[split])
    node(made, "worker-0", [gpu(0, "CPX/NPS1")], MIXED)
    labels = {"aim.amd.com/inference-service": "chat"}
    binding = PodBinding(made.cluster, SIZING)
    assert (binding.count("team-a", labels), binding.count("team-a", {})) == (4, 1)
    ranks, whole = (binding._want("team-a", of, request(BIG)).bytes for of in (labels, {}))
    assert ranks < whole
