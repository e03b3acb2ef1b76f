"""Both backends on an API server in this process: what is made, in which order, and what stops it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.object import dump
from controller.reconcilers.inference_service.controller import InferenceServiceReconciler, ServiceContext
from controller.reconcilers.inference_service.objectives import LOOK_SECONDS
from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, DEPLOYMENTS, SERVICES
from controller.runtime.client.errors import ApiError
from controller.runtime.client.resource import Resource
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import INFERENCE_SERVICES, KSERVE_SERVICES
from tests.builders.cluster import FedCluster
from tests.builders.inference_service import inference_service
from tests.builders.kserve_service import condition, kserve_service
from tests.builders.request_counts import shard_counts, steadily
from tests.builders.share_group import sharing, sharing_service
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

KEY = "team-a/chat"


class Operator:
    """One life of the operator. `show` lets its informers see what is stored."""

    def __init__(
        self, api: FakeApiServer, client: Client, *, served: bool | None, fed: FedCluster | None = None
    ) -> None:
        self.api = api
        self.fed = fed or FedCluster()
        cluster = self.fed.cluster
        if served is not None:
            cluster.kserve.found(served=served)
        self.informers: dict[Resource, Informer[Any]] = {
            INFERENCE_SERVICES: cluster.services,
            DEPLOYMENTS: cluster.deployments,
            KSERVE_SERVICES: cluster.kserve.services,
            CONFIG_MAPS: cluster.profile_maps,
        }
        self.reconciler = InferenceServiceReconciler(ServiceContext(client, cluster, SIZING, self.fed.clock))

    def show(self) -> None:
        for resource, informer in self.informers.items():
            self.fed.listed(informer, *self.api.objects(resource).values())

    async def reconcile(self) -> Result:
        self.show()
        return await self.reconciler.reconcile(Request("team-a", "chat"))

    @property
    def service(self) -> dict[str, Any]:
        return self.api.objects(INFERENCE_SERVICES)[KEY]

    def reason(self, type_: str = "Ready") -> str:
        reasons: dict[str, str] = {found["type"]: found["reason"] for found in self.service["status"]["conditions"]}
        return reasons[type_]

    def writes(self) -> list[str]:
        """Kind (or subresource) of each write, in order."""
        paths = [seen.path.split("/") for seen in self.api.seen if seen.method != "GET"]
        return [path[-1] if path[-1] == "status" else path[-2] for path in paths]


@pytest.fixture
async def world() -> AsyncIterator[tuple[FakeApiServer, Client]]:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        for resource in (INFERENCE_SERVICES, DEPLOYMENTS, SERVICES, KSERVE_SERVICES, CONFIG_MAPS):
            api.serve(resource)
        api.put(INFERENCE_SERVICES, dump(inference_service()))
        yield api, client


World = tuple[FakeApiServer, Client]


async def test_where_kserve_is_one_of_its_services_is_made_and_nothing_else(world: World) -> None:
    operator = Operator(*world, served=True)
    assert await operator.reconcile() == Result()
    assert operator.writes() == ["status", "configmaps", "inferenceservices", "status"]
    assert operator.service["status"]["backend"] == "kserve"
    assert list(operator.api.objects(KSERVE_SERVICES)) == [KEY]
    assert not operator.api.objects(DEPLOYMENTS)


async def test_elsewhere_a_deployment_and_a_service_are_made(world: World) -> None:
    operator = Operator(*world, served=False)
    await operator.reconcile()
    assert operator.writes() == ["status", "configmaps", "deployments", "services", "status"]
    assert operator.service["status"]["backend"] == "deployment"


async def test_nothing_is_made_before_it_is_known_which(world: World) -> None:
    operator = Operator(*world, served=None)
    result = await operator.reconcile()
    assert result.requeue_after is not None
    assert operator.writes() == []


@pytest.mark.parametrize(("first", "want"), [(True, [KSERVE_SERVICES]), (False, [DEPLOYMENTS, SERVICES])])
async def test_an_operator_that_died_after_its_choice_is_followed_by_one_that_keeps_it(
    world: World, first: bool, want: list[Resource]
) -> None:
    api, client = world
    api.play(faults.refusal(500, "InternalError"), on="GET")  # right after the choice was written
    with pytest.raises(ApiError, match="no"):
        await Operator(api, client, served=first).reconcile()
    await Operator(api, client, served=True).reconcile()
    assert [resource for resource in (KSERVE_SERVICES, DEPLOYMENTS, SERVICES) if api.objects(resource)] == want


async def test_when_kserve_went_away_the_service_says_so_and_no_deployment_is_made(world: World) -> None:
    await Operator(*world, served=True).reconcile()
    operator = Operator(*world, served=False)
    result = await operator.reconcile()
    assert (operator.reason(), operator.reason("PredictorReady")) == ("KServeNotServed", "KServeNotServed")
    assert result.requeue_after is not None
    assert not operator.api.objects(DEPLOYMENTS)


async def test_while_nobody_knows_whether_kserve_is_there_its_services_are_left_as_they_are(world: World) -> None:
    await Operator(*world, served=True).reconcile()
    operator = Operator(*world, served=None)
    before = operator.service
    assert (await operator.reconcile()).requeue_after is not None
    assert operator.service == before


async def test_when_kserve_comes_a_deployment_stays(world: World) -> None:
    await Operator(*world, served=False).reconcile()
    operator = Operator(*world, served=True)
    await operator.reconcile()
    assert not operator.api.objects(KSERVE_SERVICES)
    assert operator.service["status"]["backend"] == "deployment"


async def test_a_foreign_service_of_that_name_is_left_alone(world: World) -> None:
    api, client = world
    foreign = api.put(KSERVE_SERVICES, kserve_service() | {"status": {"address": {"url": "http://elsewhere"}}})
    operator = Operator(api, client, served=True)
    await operator.reconcile()
    assert operator.reason() == "NameTaken"
    assert operator.service["status"]["url"] == "http://chat-predictor.team-a.svc"
    assert api.objects(KSERVE_SERVICES)[KEY] == foreign


@pytest.mark.parametrize("code", [400, 403, 422])
async def test_what_kserve_refuses_is_told_and_tried_again(world: World, code: int) -> None:
    operator = Operator(*world, served=True)
    reason = {400: "BadRequest", 403: "Forbidden", 422: "Invalid"}[code]
    operator.api.play(faults.refusal(code, reason, "minReplicas is greater"), on="apply")
    result = await operator.reconcile()
    assert operator.reason() == "BackendRefused"
    assert result.requeue_after is not None


async def test_it_is_made_again_when_it_went_missing_and_only_then(world: World) -> None:
    operator = Operator(*world, served=True)
    await operator.reconcile()
    await operator.reconcile()
    assert operator.writes().count("inferenceservices") == 1
    operator.api.remove(KSERVE_SERVICES, KEY)
    await operator.reconcile()
    assert operator.writes().count("inferenceservices") == 2


async def test_the_status_follows_the_predictors_deployment(world: World) -> None:
    operator = Operator(*world, served=True)
    await operator.reconcile()
    status = {"replicas": 1, "readyReplicas": 1}
    operator.api.put(DEPLOYMENTS, {"metadata": {"namespace": "team-a", "name": "chat-predictor"}, "status": status})
    await operator.reconcile()
    found = operator.service["status"]
    assert (found["replicas"], found["readyReplicas"]) == (1, 1)
    assert found["selector"] == "serving.kserve.io/inferenceservice=chat"
    assert operator.reason("PredictorReady") == "PodsReady"


async def test_what_kserve_says_against_a_service_without_pods_is_passed_on(world: World) -> None:
    operator = Operator(*world, served=True)
    await operator.reconcile()
    made = operator.api.objects(KSERVE_SERVICES)[KEY]
    refusal = condition("PredictorReady", "False", message="no runtime found")
    operator.api.put(KSERVE_SERVICES, made | {"status": {"conditions": [refusal]}})
    await operator.reconcile()
    assert operator.reason("PredictorReady") == "KServeNotReady"


async def test_what_the_gateway_counted_is_judged_and_the_counts_are_left_alone(world: World) -> None:
    api, client = world
    operator = Operator(api, client, served=False)
    counts = [shard_counts(operator.fed.clock.now(), steadily(0.5, 120))]
    slo = [{"metric": "timeToFirstToken", "threshold": "500ms"}]
    api.put(INFERENCE_SERVICES, dump(inference_service(qos={"slo": slo}, status={"requestCounts": counts})))
    result = await operator.reconcile()
    status = operator.service["status"]
    assert operator.reason("SLOMet") == "BudgetBurns"
    assert (status["slo"][0]["burning"], status["slo"][0]["attainment"]) == ("14.4", "50")
    assert status["requestCounts"] == counts
    assert "resizeRequest" not in status  # nothing serves
    assert result.requeue_after == LOOK_SECONDS


async def test_two_services_of_one_model_say_how_requests_find_them(world: World) -> None:
    api, client = world
    api.put(INFERENCE_SERVICES, dump(inference_service("draft")))
    operator = Operator(api, client, served=False)
    await operator.reconcile()
    assert operator.reason("Routable") == "DuplicateModel"
    api.remove(INFERENCE_SERVICES, "team-a/draft")
    await operator.reconcile()
    assert operator.reason("Routable") == "Routable"


async def test_a_guarantee_out_of_reach_is_told(world: World) -> None:
    api, client = world
    api.put(INFERENCE_SERVICES, dump(inference_service(qos={"guarantees": {"minConcurrency": 99}})))
    operator = Operator(api, client, served=False)
    await operator.reconcile()
    assert operator.reason("Guaranteed") == "GuaranteeOutOfReach"


async def test_a_guarantee_beside_which_others_are_promised_too_much_is_told_and_withdrawn(world: World) -> None:
    api, client = world
    operator = Operator(api, client, served=False, fed=sharing({"chat": 5, "draft": 4}))
    for draft, want in ((4, "GuaranteeCapacity"), (3, "Guaranteed")):
        api.put(INFERENCE_SERVICES, sharing_service("chat", 5, status=status_of(api)))
        api.put(INFERENCE_SERVICES, sharing_service("draft", draft))
        await operator.reconcile()
        assert operator.reason("Guaranteed") == want


def status_of(api: FakeApiServer) -> dict[str, Any]:
    """What was written of service chat."""
    found: dict[str, Any] = api.objects(INFERENCE_SERVICES)[KEY].get("status") or {}
    return found
