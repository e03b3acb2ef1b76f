import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.resource import Resource
from tests.benchmarks.scale.lives import Lives
from tests.benchmarks.scale.load import Load
from tests.benchmarks.scale.settings import Settings

pytestmark = pytest.mark.looptime
SETTINGS = Settings(nodes=2, pods=80, owner=10, wave=20)
SECONDS_A_POD = 0.5


class Cluster:
    """An API server whose pods are Ready, and gone, some time after their owner is. `most`: that were under way at once."""

    def __init__(self, lives: Lives, *, room: int = 1_000) -> None:
        self.lives, self.room, self.most = lives, room, 0
        self.kinds: set[str] = set()
        self._replicas: dict[str, int] = {}

    async def create(self, resource: Resource, made: Mapping[str, Any], namespace: str) -> None:
        self.kinds.add(resource.kind)
        name, replicas = made["metadata"]["name"], made["spec"]["replicas"]
        self._replicas[name] = replicas
        for number in range(replicas):
            self._tell(None, _pod(f"{name}-{number}", namespace))
        served = min(replicas, self.room)
        self.room -= served
        for number in range(served):
            self._later(self._serve, f"{name}-{number}", namespace)
        self.most = max(self.most, self.lives.present - self.lives.serving)

    async def delete(self, resource: Resource, name: str, namespace: str, *, propagation_policy: str) -> None:
        assert propagation_policy == "Background"
        for number in range(self._replicas[name]):
            self._later(self._remove, f"{name}-{number}", namespace)

    def _later(self, what: Any, *told: str) -> None:
        asyncio.get_running_loop().call_later(SECONDS_A_POD, what, *told)

    def _serve(self, name: str, namespace: str) -> None:
        self._tell(_pod(name, namespace), _pod(name, namespace, ready=True))

    def _remove(self, name: str, namespace: str) -> None:
        self._tell(_pod(name, namespace, ready=True), None)

    def _tell(self, old: Any, new: Any) -> None:
        kind = EventType.ADDED if old is None else EventType.DELETED if new is None else EventType.MODIFIED
        self.lives.take_pod(StoreEvent(kind, "", old, new), asyncio.get_running_loop().time())


def _pod(name: str, namespace: str, *, ready: bool = False) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, "namespace": namespace, "uid": name}, "spec": {}, "status": status}


def load_on(cluster: Cluster) -> Load:
    return Load(cast("Client", cluster), SETTINGS, cluster.lives)


async def test_pods_come_change_and_end_a_wave_at_a_time() -> None:
    cluster = Cluster(Lives())
    load = load_on(cluster)
    assert await load.fill(80)
    assert (cluster.most, load.asked, load.missing) == (20, 80, 0)
    assert cluster.kinds == {"Deployment", "InferenceService"}
    assert await load.churn(30)
    assert (cluster.lives.came, cluster.lives.gone, cluster.lives.serving) == (110, 30, 80)
    assert await load.end()
    assert (cluster.lives.present, load.asked) == (0, 0)


async def test_who_waits_for_what_never_comes_gives_up_and_says_how_many_are_missing() -> None:
    load = load_on(Cluster(Lives(), room=35))
    assert not await load.fill(80)
    assert load.missing == 15  # of the 50 that a wave of 20 lets it ask for, with 35 Ready
