from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from controller.reconcilers.kserve_service.controller import (
    PAUSE_SECONDS,
    KServeServiceReconciler,
    effective_annotations,
)
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import KSERVE_SERVICES
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.kserve_service import OF_KSERVE, OPTED_IN, kserve_service
from tests.builders.pod import pod
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

LABEL = "serving.kserve.io/inferenceservice"
MIRRORED = "GPUPartitionAllocated"
TOLD_NO = {"type": "Bound", "status": "False", "reason": "NoFreePartition", "message": "all are taken"}
REFUSED = {"phase": "Pending", "conditions": [TOLD_NO | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]}


class Operator:
    """A reconciler on an API server in this process. `put` stores a service, `show` lets the informer see it."""

    def __init__(self, api: FakeApiServer, client: Client) -> None:
        self.api = api
        self.fed = FedCluster()
        self.told: list[tuple[str, str]] = []
        recorder = SimpleNamespace(record=lambda _, kind, reason, note, action: self.told.append((reason, note)))
        self.reconciler = KServeServiceReconciler(
            client, self.fed.cluster, cast("EventRecorder", recorder), self.fed.clock
        )

    def put(self, **fields: Any) -> None:
        self.api.put(KSERVE_SERVICES, kserve_service(**fields))
        self.show()

    def show(self) -> None:
        self.fed.listed(self.fed.cluster.kserve.services, *self.api.objects(KSERVE_SERVICES).values())

    def add_pod(self, name: str, **fields: Any) -> None:
        labels = {"labels": {LABEL: "chat"}}
        self.fed.put(self.fed.cluster.pods, pod(name, claim=f"aim-{name}", metadata=labels, **fields))

    def add_claim(self, obj: dict[str, Any]) -> None:
        self.fed.put(self.fed.cluster.claims, obj)

    async def reconcile(self) -> Result:
        return await self.reconciler.reconcile(Request("team-a", "chat"))

    @property
    def stored(self) -> dict[str, Any]:
        return self.api.objects(KSERVE_SERVICES)["team-a/chat"]

    @property
    def mirrored(self) -> dict[str, Any] | None:
        return next((entry for entry in self.stored["status"]["conditions"] if entry["type"] == MIRRORED), None)


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        api.serve(KSERVE_SERVICES)
        yield Operator(api, client)


async def test_one_patch_of_the_conditions_is_all_that_is_written(operator: Operator) -> None:
    operator.put()
    before = operator.stored
    assert await operator.reconcile() == Result()
    (write,) = [seen for seen in operator.api.seen if seen.method != "GET"]
    assert (write.method, write.path.rpartition("/")[2]) == ("PATCH", "status")
    patch = orjson.loads(write.body)
    assert patch["metadata"] == {"resourceVersion": before["metadata"]["resourceVersion"]}
    assert list(patch["status"]) == ["conditions"]
    assert patch["status"]["conditions"][:3] == list(OF_KSERVE)
    assert operator.mirrored is not None
    assert operator.mirrored["severity"] == "Info"


async def test_what_is_as_it_should_be_is_not_written_again(operator: Operator) -> None:
    operator.put()
    await operator.reconcile()
    operator.show()
    await operator.reconcile()
    assert operator.api.count("PATCH") == 1


async def test_a_condition_that_somebody_takes_away_is_put_back_after_a_pause(operator: Operator) -> None:
    operator.put()
    await operator.reconcile()
    operator.put()  # without ours
    result = await operator.reconcile()
    assert (operator.mirrored, result.requeue_after) == (None, PAUSE_SECONDS)
    operator.fed.clock.tick(PAUSE_SECONDS)
    await operator.reconcile()
    assert operator.mirrored is not None


async def test_a_status_that_moved_on_is_not_overwritten(operator: Operator) -> None:
    operator.put()
    operator.api.put(KSERVE_SERVICES, kserve_service(conditions=OF_KSERVE[:1]))  # not seen yet
    assert (await operator.reconcile()).requeue_after is not None
    assert operator.mirrored is None
    operator.show()
    await operator.reconcile()
    assert [entry["type"] for entry in operator.stored["status"]["conditions"]] == ["PredictorReady", MIRRORED]


async def test_nothing_is_written_before_kserve_has(operator: Operator) -> None:
    operator.put(conditions=None)
    await operator.reconcile()
    assert operator.api.seen == []


@pytest.mark.parametrize("metadata", [{"deletionTimestamp": "2026-01-01T00:00:00Z"}, {"name": "other"}])
async def test_one_that_goes_or_is_gone_is_left_alone(operator: Operator, metadata: dict[str, str]) -> None:
    operator.put(metadata=metadata)
    await operator.reconcile()
    assert operator.api.seen == []


async def test_one_deleted_meanwhile_is_no_error(operator: Operator) -> None:
    operator.put()
    operator.api.remove(KSERVE_SERVICES, "team-a/chat")
    assert await operator.reconcile() == Result()


async def test_pods_are_counted_with_their_claims(operator: Operator) -> None:
    operator.put()
    for name in ("held", "bound", "refused", "new"):
        operator.add_pod(name)
    operator.add_pod("over", phase="Succeeded")
    operator.add_claim(bound_claim("aim-held", phase="Allocated", pod="held"))
    operator.add_claim(bound_claim("aim-bound", index=1, pod="bound"))
    operator.add_claim(claim("aim-refused", pod="refused", status=REFUSED))
    await operator.reconcile()
    assert operator.mirrored is not None
    assert (operator.mirrored["status"], operator.mirrored["reason"]) == ("False", "NoFreePartition")
    assert operator.mirrored["message"] == "1 of 4 pods hold a partition; pod refused: all are taken"


async def test_who_opts_out_loses_the_condition(operator: Operator) -> None:
    operator.put()
    await operator.reconcile()
    ours = operator.mirrored
    assert ours is not None
    operator.put(annotations={}, conditions=[*OF_KSERVE, ours])
    operator.fed.clock.tick(PAUSE_SECONDS)
    await operator.reconcile()
    assert operator.stored["status"]["conditions"] == list(OF_KSERVE)


async def test_after_a_reset_of_the_status_it_is_back(operator: Operator) -> None:
    stopped = OPTED_IN | {"serving.kserve.io/stop": "true"}
    operator.put()
    await operator.reconcile()
    operator.put(annotations=stopped, conditions=OF_KSERVE[2:])
    operator.fed.clock.tick(PAUSE_SECONDS)
    await operator.reconcile()
    assert operator.mirrored is not None
    assert operator.mirrored["reason"] == "Stopped"


async def test_a_fault_is_an_event_once_its_condition_is_written(operator: Operator) -> None:
    operator.put(annotations=OPTED_IN | {"aim.amd.com/precison": "fp8"})
    operator.api.play(faults.refusal(409, "Conflict"), on="PATCH")
    await operator.reconcile()
    assert operator.told == []
    await operator.reconcile()
    ((reason, note),) = operator.told
    assert reason == "MisspeltAnnotation"
    assert "did you mean aim.amd.com/precision?" in note
    operator.fed.clock.tick(PAUSE_SECONDS)
    operator.show()
    await operator.reconcile()
    assert len(operator.told) == 1


def test_the_predictors_annotations_go_over_the_services() -> None:
    service = kserve_service(annotations={"a": "1", "b": "1"})
    service["spec"]["predictor"]["annotations"] = {"b": "2"}
    assert effective_annotations(service) == {"a": "1", "b": "1"} | {"b": "2"}
