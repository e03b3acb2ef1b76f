"""Reading and changing RepartitionPlans for a person."""

from typing import Any

from api.v1beta1 import RepartitionPlan
from controller.cli.cluster import Cluster
from controller.cli.output import refuse
from controller.runtime.client.errors import Conflict, NotFound
from controller.state.kinds import REPARTITION_PLANS

#: A plan's status may be written at any moment; a plan that changes this often in a row is left alone.
ROUNDS = 5


def read_plan(cluster: Cluster, name: str) -> RepartitionPlan:
    """The plan; ends the command (exit code 2) when there is none of that name."""
    try:
        found = cluster.ask(lambda client: client.get(REPARTITION_PLANS, name), expect=(NotFound,))
    except NotFound:
        refuse(f"no RepartitionPlan is called {name!r}: kubectl get rpp lists them")
    return RepartitionPlan.model_validate(found)


def patch_spec(cluster: Cluster, plan: RepartitionPlan, spec: dict[str, Any]) -> RepartitionPlan | None:
    """Change fields of the spec of this very plan as it was read; None when it has changed since."""
    patch = {"metadata": {"uid": plan.metadata.uid, "resourceVersion": plan.metadata.resource_version}, "spec": spec}
    name = plan.metadata.name
    try:
        found = cluster.ask(lambda client: client.merge_patch(REPARTITION_PLANS, name, patch), expect=(Conflict,))
    except Conflict:
        return None
    return RepartitionPlan.model_validate(found)
