from collections.abc import Sequence
from typing import Any

import pytest

from controller.sizing.catalog import Catalog
from controller.state.models import Models
from e2e.engine.fleet.wanted import NoEngine, wanted
from e2e.engine.settings import EngineSettings
from tests.e2e.engine.fleet.objects import GIB, MODEL, Object, claim, node, pod

MODELS = Models(Catalog.bundled())


def engines(pods: Sequence[Object], claims: Sequence[Object], **more: Any) -> list[EngineSettings]:
    found = list(wanted(pods, claims, [node(**more)], MODELS, 1.0))
    assert not [one for one in found if isinstance(one, NoEngine)], found
    return [one for one in found if isinstance(one, EngineSettings)]


def test_an_engine_is_what_its_pod_was_told() -> None:
    (engine,) = engines([pod("a")], [claim("aim-a", partition=3)])
    assert (engine.model, engine.engine, engine.partition) == (MODEL, "uid-a", "gpu-a/0000:05:00.0/3")
    assert (engine.seats, engine.max_model_len, engine.answers_to) == (4, 8192, (MODEL,))
    assert not engine.by_priority


@pytest.mark.parametrize(
    ("pods", "claims"),
    [
        pytest.param([pod("a", ready=False)], [claim("aim-a")], id="a pod that is not Ready"),
        pytest.param([pod("a")], [], id="a pod without its claim"),
        pytest.param([pod("a")], [claim("aim-a", phase="Pending")], id="a claim without a partition"),
        pytest.param([pod("a", annotations={"aim.amd.com/gpu-sharing": "false"})], [claim("aim-a")], id="not ours"),
    ],
)
def test_who_has_no_engine(pods: list[Object], claims: list[Object]) -> None:
    assert engines(pods, claims) == []


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param({"arguments": {"scheduling-policy": "priority"}}, True, id="told by us"),
        pytest.param({"container": {"args": ["--scheduling-policy", "priority"]}}, True, id="two words"),
        pytest.param({"container": {"command": ["serve", "--scheduling-policy=priority"]}}, True, id="one word"),
        pytest.param({"container": {"args": ["--scheduling-policy", "fcfs"]}}, False, id="the other policy"),
    ],
)
def test_an_engine_takes_priorities_if_it_was_started_so(given: Any, want: bool) -> None:
    (engine,) = engines([pod("a", **given)], [claim("aim-a")])
    assert engine.by_priority is want


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("chat", ("chat",), id="one"),
        pytest.param(["chat", "team/chat"], ("chat", "team/chat"), id="several"),
    ],
)
def test_a_served_model_name_replaces_the_model(name: object, want: tuple[str, ...]) -> None:
    (engine,) = engines([pod("a", arguments={"served-model-name": name})], [claim("aim-a")])
    assert engine.answers_to == want


def test_members_of_a_share_group_have_their_shares_of_one_partition() -> None:
    group = claim(
        "aim-group-1",
        group="assistants",
        small={"bytes": 6 * GIB, "computeUnits": "0-8"},
        large={"bytes": 12 * GIB, "computeUnits": "9-26,30"},
    )
    pods = [pod(name, claim="aim-group-1", model="Qwen/Qwen2.5-0.5B-Instruct") for name in ("small", "large")]
    for one in pods:
        one["metadata"]["annotations"]["aim.amd.com/precision"] = "bf16"
    small, large = engines(pods, [group])
    assert small.partition == large.partition
    assert small.speed.prefill / large.speed.prefill == pytest.approx(19 / 9)
    assert small.speed.read == large.speed.read


def test_a_pinned_pool_is_the_kv_cache() -> None:
    pinned = {"kv-cache-memory-bytes": 2 * GIB, "gpu-memory-utilization": 0.9}
    one, other = engines([pod("a", arguments=pinned), pod("b")], [claim("aim-a"), claim("aim-b", partition=1)])
    assert one.memory.pool == 2 * GIB
    assert other.memory.pool == int(0.9 * 24 * GIB) - other.memory.fixed


def test_ranks_share_the_work() -> None:
    pods = [pod("a", arguments={"tensor-parallel-size": ranks, "max-num-seqs": 4}) for ranks in (1, 2)]
    one, two = (engines([each], [claim("aim-a")])[0] for each in pods)
    assert one.speed.prefill == pytest.approx(2 * two.speed.prefill)


@pytest.mark.parametrize(
    ("pods", "claims", "partitions", "want"),
    [
        pytest.param([pod("a", model="nobody/knows")], [claim("aim-a")], 8, "nobody/knows", id="an unknown model"),
        pytest.param([pod("a")], [claim("aim-a", partition=7)], 2, "0000:05:00.0/7", id="a partition that is gone"),
        pytest.param(
            [pod("a", claim="aim-group-1")], [claim("aim-group-1", group="g")], 8, "no share", id="without a share"
        ),
    ],
)
def test_why_a_pod_can_have_none(pods: list[Object], claims: list[Object], partitions: int, want: str) -> None:
    (found,) = wanted(pods, claims, [node(partitions=partitions)], MODELS, 1.0)
    assert isinstance(found, NoEngine)
    assert "pod team/a: " in str(found)
    assert want in str(found)
