"""What every step of a plan needs."""

from dataclasses import dataclass

from controller.reconcilers.repartition_plan.latest import LatestPlans
from controller.reconcilers.repartition_plan.plugins import NodePlugins
from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The API server, the cluster as the informers show it, plans as we know them, AMD's pods, the time, who counts."""

    client: Client
    cluster: Cluster
    plans: LatestPlans
    plugins: NodePlugins
    clock: Clock
    counts: SchedulerCounts
