"""The operator's metrics: its tables follow the cluster, and are told of by the one replica that leads.

Replicas that wait know the same, and would double every sum; so they tell nothing but their runtime's metrics.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from api.v1beta1 import ModelProfile
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.repartition_plan.closing import CLOSING
from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.repartition.phases import TERMINAL, Phase
from controller.runtime.clock import Clock
from controller.runtime.instrument import Instrument
from controller.runtime.slices import Slices
from controller.state.capacity_gauges import CapacityGauges, CapacityRows
from controller.state.claim_gauges import ClaimGauges, needed_bytes
from controller.state.claim_stages import STAGES, ClaimStages
from controller.state.cluster import Cluster
from controller.state.model_memory_gauges import estimate_rows, observed_rows
from controller.state.node_gauges import NodeGauges
from controller.state.plan_gauges import degraded_rows, phase_age_rows, plan_rows
from controller.state.plan_phases import PlanPhases
from controller.state.service_gauges import ServiceGauges
from controller.state.table import Table
from controller.telemetry import instruments
from controller.telemetry.families import Labels
from controller.telemetry.metrics import Metrics
from controller.telemetry.recorded import Recorded

#: The phases of plans that end, and the tidying up after a plan.
PHASES: Final = (*(phase.value for phase in Phase if phase not in TERMINAL), CLOSING)

T = TypeVar("T")


class OperatorMetrics:
    """Follows the cluster from its making on, and tells while it runs, which is what leading means here.

    To be made before the informers start, behind the cluster's own handlers, and run as what only the leader runs.
    `counts`: what reconcilers count.
    """

    def __init__(self, metrics: Metrics, cluster: Cluster, scheduler: ModelScheduler, clock: Clock) -> None:
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock
        self._leads = False
        self._found = CapacityRows()
        self.counts = SchedulerCounts(metrics)
        self._observe_histogram(instruments.SCHEDULER_OPERATION_SECONDS, self.counts.seconds)
        self._follow_claims()
        self._follow_plans()
        self._follow_nodes()
        self._follow_services()
        self._follow_profiles()
        self._measure_capacity(scheduler)

    def __str__(self) -> str:
        return "the operator's metrics"

    async def run(self) -> None:
        """Tell, until cancelled."""
        self.counts.declare()
        self._leads = True
        try:
            await asyncio.Event().wait()
        finally:
            self._leads = False

    def _observe(self, instrument: Instrument, rows: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        self._metrics.observe(instrument, self._of_the_leader(rows))

    def _observe_histogram(self, instrument: Instrument, recorded: Recorded) -> None:
        self._metrics.observe_histograms(instrument, self._of_the_leader(recorded.rows))

    def _of_the_leader(self, rows: Callable[[], Iterable[T]]) -> Callable[[], Iterable[T]]:
        return lambda: rows() if self._leads else ()

    def _recording(self, instrument: Instrument, declared: Iterable[str]) -> Callable[[str, float], None]:
        """Takes a label value and seconds; what is told while another replica leads is that one's to count."""
        recorded = Recorded(instrument, [(each,) for each in declared])
        self._observe_histogram(instrument, recorded)

        def tell(label: str, seconds: float) -> None:
            if self._leads:
                recorded.record(seconds, label)

        return tell

    def _follow_claims(self) -> None:
        cluster, clock = self._cluster, self._clock
        claims = self._claims = ClaimGauges(cluster.claim_table)
        stages = ClaimStages(cluster.claim_table, clock, self._recording(instruments.SCHEDULER_TIME_TO_BIND, STAGES))
        cluster.claims.add_handler(claims.take)
        cluster.claims.add_handler(stages.take)
        self._observe(instruments.CLAIMS, claims.phases)
        self._observe(instruments.PARTITION_CLAIMS, claims.isolation)
        self._observe(instruments.SCHEDULER_PENDING, claims.pending)
        self._observe(instruments.SCHEDULER_OLDEST_PENDING, lambda: claims.oldest(clock.now()))

    def _follow_plans(self) -> None:
        plans, clock = self._cluster.plan_table, self._clock
        phases = PlanPhases(plans, clock, self._recording(instruments.PLAN_PHASE_SECONDS, PHASES))
        self._cluster.plans.add_handler(phases.take)
        self._observe(instruments.PLANS, lambda: plan_rows(plans.values()))
        self._observe(instruments.PLANS_DEGRADED, lambda: degraded_rows(plans.values()))
        self._observe(instruments.PLAN_PHASE_AGE, lambda: phase_age_rows(plans.values(), clock.now()))

    def _follow_nodes(self) -> None:
        nodes = NodeGauges(self._cluster.gpu_node_table, self._cluster.heartbeats)
        self._cluster.gpu_nodes.add_handler(nodes.take)
        self._observe(instruments.AGENT_UP, nodes.agents)
        self._observe(instruments.NODE_PARTITIONS_UNHEALTHY, nodes.unhealthy)

    def _follow_services(self) -> None:
        services = ServiceGauges(self._cluster.service_table)
        self._cluster.services.add_handler(services.take)
        self._observe(instruments.SERVICE_CONDITION, services.conditions)
        self._observe(instruments.SERVICE_REPLICAS, services.replicas)
        self._observe(instruments.SLO_BUDGET, services.budgets)
        self._observe(instruments.SLO_BURN, services.burns)
        self._observe(instruments.SLO_BURN_LIMIT, services.limits)
        self._observe(instruments.SLO_SLOW, services.slow)

    def _follow_profiles(self) -> None:
        profiles, claims = Table(ModelProfile.model_validate), self._claims
        self._cluster.model_profiles.add_handler(profiles.take)
        self._observe(instruments.MODEL_MEMORY_OBSERVED, lambda: observed_rows(profiles.values()))
        self._observe(instruments.MODEL_MEMORY_ESTIMATE, lambda: estimate_rows(profiles.values(), claims.sized))

    def _measure_capacity(self, scheduler: ModelScheduler) -> None:
        cluster = self._cluster

        def need_of(key: str) -> int | None:
            claim = cluster.claim_table.get(key)
            return needed_bytes(claim) if claim is not None else None

        capacity, slices, turn = CapacityGauges(need_of), Slices(self._clock), asyncio.Lock()

        async def look() -> None:
            async with turn:  # of several who scrape at once
                if not self._leads:
                    return
                try:
                    self._found = await slices.run(capacity.looking(cluster.snapshot().base, scheduler.expected))
                except BaseException:
                    self._found = CapacityRows()  # what was found before is too old
                    raise

        self._metrics.before_collection(look)
        self._observe(instruments.GPU_PARTITIONS, lambda: self._found.partitions)
        self._observe(instruments.SCHEDULER_ALLOCATION, lambda: self._found.allocation)
        self._observe(instruments.SCHEDULER_FRAGMENTATION, lambda: self._found.fragmentation)
        self._observe(instruments.SCHEDULER_STRANDED, lambda: self._found.stranded)
