from typing import Any, cast

import pytest

from controller.reconcilers.gpu_node.tainting import ATTEMPTS, set_taint
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Cause, Conflict, Forbidden, Invalid
from controller.translate.node_taint import TAINT_KEY
from tests.builders.node import node_object
from tests.controller.reconcilers.gpu_partition_claim.api import MOVED_ON, InMemoryApi, refusing

CONFLICT = Conflict(409, "Conflict", "modified")
OURS = {"key": TAINT_KEY, "value": "plan-1", "effect": "NoSchedule"}
DRAINED = {"key": "drained", "effect": "NoExecute"}


class Busy(InMemoryApi):
    """Somebody else taints the node between our read and our write, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().get(*args, **kwargs)
        if self.left:
            self.left -= 1
            (node,) = self.of(NODES)
            taints = [*node["spec"].get("taints", []), DRAINED | {"key": f"drained-{self.left}"}]
            self.put(NODES, node | {"spec": {"taints": taints}})
        return found


async def write(api: InMemoryApi, value: str | None) -> bool:
    return await set_taint(cast("Client", api), "worker-0", value)


def taints(api: InMemoryApi) -> list[dict[str, str]]:
    (node,) = api.of(NODES)
    found: list[dict[str, str]] = node["spec"].get("taints", [])
    return found


@pytest.mark.parametrize(("before", "value", "want"), [([], "plan-1", [OURS]), ([OURS], None, [])])
@pytest.mark.parametrize("times", range(ATTEMPTS))
async def test_taints_that_others_write_at_the_same_time_stay(
    before: list[dict[str, str]], value: str | None, want: list[dict[str, str]], times: int
) -> None:
    api = Busy(times)
    api.put(NODES, node_object(taints=before))
    assert await write(api, value)
    left = [DRAINED | {"key": f"drained-{number}"} for number in reversed(range(times))]
    assert sorted(map(str, taints(api))) == sorted(map(str, [*want, *left]))


async def test_a_node_that_others_keep_writing_is_given_up_for_now() -> None:
    api = Busy(ATTEMPTS)
    api.put(NODES, node_object())
    assert not await write(api, "plan-1")
    assert OURS not in taints(api)


@pytest.mark.parametrize("error", [CONFLICT, MOVED_ON])
async def test_a_write_that_came_too_late_is_made_again(error: Exception) -> None:
    api = InMemoryApi()
    api.put(NODES, node_object())
    api.before_write = refusing("patch nodes", error, times=ATTEMPTS - 1)  # type: ignore[arg-type]
    assert await write(api, "plan-1")
    assert taints(api) == [OURS]


async def test_what_is_so_already_is_not_written() -> None:
    api = InMemoryApi()
    api.put(NODES, node_object(taints=[OURS]))
    assert await write(api, "plan-1")
    assert api.writes == []


async def test_a_node_that_is_gone_has_no_taints() -> None:
    assert await write(InMemoryApi(), "plan-1")


@pytest.mark.parametrize(
    "error",
    [Forbidden(403, "Forbidden", "no"), Invalid(422, "Invalid", "no", (Cause("spec.taints", "Invalid", "no"),))],
)
async def test_what_the_api_server_refuses_is_told(error: Exception) -> None:
    api = InMemoryApi()
    api.put(NODES, node_object())
    api.before_write = refusing("patch nodes", error)  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        await write(api, "plan-1")
