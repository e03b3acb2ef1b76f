import pytest

from controller.placement.nearest import Offer, seeking_nearest
from controller.placement.snapshot import Holder
from controller.placement.steps import Steps
from controller.reconcilers.gpu_partition_claim import explaining
from controller.reconcilers.gpu_partition_claim.cycle import REFRESH_SECONDS
from controller.reconcilers.scheduler_counts import Timed
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

MIDDLE = SMALL | {"aim.amd.com/model-id": "meta-llama/Llama-3.1-8B-Instruct", "aim.amd.com/max-model-len": "16384"}


async def explained(api: InMemoryApi, operator: Operator) -> list[str]:
    for _ in range(2):
        await operator.round()
    (claim,) = [claim for claim in api.of(GPU_PARTITION_CLAIMS) if claim["metadata"]["name"] == "aim-a"]
    lines: list[str] = claim["status"]["explanation"].splitlines()
    return lines


async def test_a_waiting_claim_is_told_what_would_place_it(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=MIDDLE))
    lines = await explained(api, operator)
    assert lines[0].startswith("NoPartitionFits: none of 8 partitions takes ")
    assert lines[1].startswith("Nearest change: set aim.amd.com/max-concurrency to 2 (the owner of the pod); it would")
    assert "- 8 PartitionTooSmall, e.g. worker-0 0000:01:00.0/0 has 24.0 GiB" in lines[-1]


async def test_what_is_done_about_it_stands_beside_it(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    api.put(GPU_SHARING_POLICIES, policy_object(validatedOnly=False, repartition={"enabled": True}))
    api.put(PODS, pod(annotations=MIDDLE))
    await explained(api, operator)
    clock.tick(explaining.FRESH_SECONDS + REFRESH_SECONDS)
    text = "\n".join(await explained(api, operator))
    assert "Nearest change: wait for plan worker-0-" in text
    assert "makes room on worker-0" in text


@pytest.mark.parametrize("divide", ["First", "WhenFull"])
async def test_no_change_of_modes_is_promised_where_agents_only_report(
    api: InMemoryApi, operator: Operator, clock: FakeClock, divide: str
) -> None:
    reports = gpu_node()
    reports["status"] |= {"simulated": False, "backend": "sysfs"}
    api.put(GPU_NODES, reports)
    policy = policy_object(
        validatedOnly=False, repartition={"enabled": True, "approval": "Auto", "divide": divide}, allowedModes=[]
    )
    api.put(GPU_SHARING_POLICIES, policy)
    api.put(PODS, pod(annotations=MIDDLE | {"aim.amd.com/partition-mode": "SPX/NPS1"}))
    await explained(api, operator)
    clock.tick(explaining.FRESH_SECONDS + REFRESH_SECONDS)
    text = "\n".join(await explained(api, operator))
    assert "the agent of node worker-0 only reports and changes no mode" in text
    assert "agent.mode=repartition" in text
    assert api.of(REPARTITION_PLANS) == []


async def test_a_way_that_was_said_really_places_it(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=MIDDLE | {"aim.amd.com/max-concurrency": "2"}))
    for _ in range(2):
        await operator.round()
    assert api.of(GPU_PARTITION_CLAIMS)[0]["status"]["phase"] == "Bound"


async def test_others_are_counted_and_not_named(api: InMemoryApi, operator: Operator) -> None:
    whole = gpu(0, holders=dict.fromkeys(range(8), Holder("foreign", "team-x/their-secret")))
    api.put(GPU_NODES, gpu_node("worker-0", whole))
    for partition in whole.partitions:
        held = resource_claim(f"their-secret-{partition.id.index}", namespace="team-x", device=partition.device)
        api.put(RESOURCE_CLAIMS, held)
    text = "\n".join(await explained(api, operator))
    assert "8 PartitionHeld" in text
    assert operator.times(Timed.EXPLAIN) == 1
    assert "secret" not in text
    assert "team-x" not in text


async def test_claims_that_ask_alike_share_a_search(
    api: InMemoryApi, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    found = seeking_nearest

    def counted(snapshot, demand, *more):  # type: ignore[no-untyped-def]
        searched.append(demand.key)
        return found(snapshot, demand, *more)

    monkeypatch.setattr(explaining, "seeking_nearest", counted)
    names = [f"aim-{letter}" for letter in "abcde"]
    for name in names:
        api.put(PODS, pod(f"model-{name}", claim=name, annotations=MIDDLE))
    for _ in range(2):
        await operator.round(*(f"team-a/{name}" for name in names))
    assert len(searched) == 1


async def test_searches_take_a_tenth_of_the_time_and_no_more(
    api: InMemoryApi, operator: Operator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> Steps[tuple[Offer, ...]]:
        clock.tick(3.0)
        yield
        return ()

    monkeypatch.setattr(explaining, "seeking_nearest", slow)
    api.put(PODS, pod(annotations=MIDDLE))
    assert "no single change" in (await explained(api, operator))[1]
    api.put(PODS, pod("other", claim="aim-b", annotations=MIDDLE | {"aim.amd.com/max-concurrency": "7"}))
    for _ in range(2):
        await operator.round("team-a/aim-a", "team-a/aim-b")
    assert "Nearest change" not in written(api, "aim-b")
    assert "8 PartitionTooSmall" in written(api, "aim-b")
    clock.tick(30.0)  # by now searches may take time again, and it is the turn of who had none
    for _ in range(2):
        await operator.round("team-a/aim-a", "team-a/aim-b")
    assert "Nearest change: none" in written(api, "aim-b")


async def test_on_a_small_cluster_everybody_is_searched_for_at_once(api: InMemoryApi, operator: Operator) -> None:
    names = [f"aim-{letter}" for letter in "bcdef"]
    for number, name in enumerate(names, start=2):
        api.put(
            PODS, pod(f"model-{name}", claim=name, annotations=MIDDLE | {"aim.amd.com/max-concurrency": f"{number}0"})
        )
    for _ in range(2):
        await operator.round(*(f"team-a/{name}" for name in names))
    assert all("Nearest change" in written(api, name) for name in names)


def written(api: InMemoryApi, name: str) -> str:
    (claim,) = [claim for claim in api.of(GPU_PARTITION_CLAIMS) if claim["metadata"]["name"] == name]
    text: str = claim["status"]["explanation"]
    return text
