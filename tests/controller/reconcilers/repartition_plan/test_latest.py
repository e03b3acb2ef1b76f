from typing import Any

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.latest import LatestPlans
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan, reservation
from tests.controller.reconcilers.repartition_plan.plane import Plane


def version(number: str, *places: dict[str, Any], name: str = "plan-1") -> dict[str, Any]:
    made = plan(name, phase="Draining")
    made["metadata"]["resourceVersion"] = number
    made["status"]["reservations"] = list(places)
    return made


def shown(*objects: dict[str, Any]) -> FedCluster:
    fed = FedCluster()
    fed.listed(fed.cluster.plans, *objects)
    return fed


def test_what_was_written_counts_before_the_informer_shows_it() -> None:
    fed = shown(version("1"), version("1", name="other"))
    latest = LatestPlans(fed.cluster.plan_table)
    latest.wrote(*map(RepartitionPlan.model_validate, (version("1"), version("2", reservation(bdf(1))))))
    assert unavailable_pods(fed.cluster, fed.cluster.plan_table.values()) == 0
    assert unavailable_pods(fed.cluster, latest) == 1
    assert [latest.overtaken(each) for each in fed.cluster.plan_table.values()] == [True, False]


def test_what_the_informer_shows_then_counts_again() -> None:
    fed = shown(version("1"))
    latest = LatestPlans(fed.cluster.plan_table)
    latest.wrote(*map(RepartitionPlan.model_validate, (version("1"), version("2", reservation(bdf(1))))))
    fed.listed(fed.cluster.plans, version("3"))
    assert unavailable_pods(fed.cluster, latest) == 0
    assert not any(map(latest.overtaken, latest))


def test_a_write_that_changed_nothing_is_not_waited_for() -> None:
    fed = shown(version("1"))
    latest = LatestPlans(fed.cluster.plan_table)
    latest.wrote(*map(RepartitionPlan.model_validate, (version("1"), version("1"))))
    assert not any(map(latest.overtaken, latest))


async def test_two_plans_together_take_down_no_more_pods_than_the_budget_allows() -> None:
    plane = Plane("Draining", *(gpu(number, "SPX/NPS1") for number in range(4)), approved=True)
    plane.policy(repartition={"maxUnavailablePods": 1, "maxParallelNodes": 2})
    second = plan("other", phase="Draining", numbers=(1,))
    plane.put_plan(second | {"spec": second["spec"] | {"approved": True}})
    plane.serves("web-1", 0)
    plane.serves("web-2", 1)
    plane.show()
    await plane.look("plan-1")
    await plane.look("other")
    kept = [len(plane.stored(name)["status"].get("reservations", ())) for name in ("plan-1", "other")]
    assert kept == [1, 0]
