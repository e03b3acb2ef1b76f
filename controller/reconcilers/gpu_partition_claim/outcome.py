"""What becomes of a claim in a cycle."""

from dataclasses import dataclass
from typing import Final

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_partition_claim import Nomination
from controller.placement.decision import Decision
from controller.placement.preemption import NoVictims
from controller.repartition.disruption_budget import Refused

QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""The reason of a claim whose ResourceClaim a ResourceQuota refuses: no place helps it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and what would help where there is no place: a mode change, or others who leave one.

    `decided_at` is monotonic seconds. `kept`: the place that is to be kept for the claim.
    """

    decision: Decision
    plan: RepartitionPlan | None = None
    no_plan: Refused | None = None
    decided_at: float = 0.0
    kept: Nomination | None = None
    no_victims: NoVictims | None = None

    @property
    def asks(self) -> bool:
        """Whether something was decided that is lost unless somebody does it."""
        return self.plan is not None or self.kept is not None
