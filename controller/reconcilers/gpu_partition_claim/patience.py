"""Since when claims wait for a GPU to be divided although a place is free: nobody does so for long, or twice.

In memory alone: after a restart a claim may wait once more, for as long at most.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from controller.placement.demand import Demand
from controller.repartition.division import PATIENCE_SECONDS
from controller.runtime.clock import Clock
from controller.state.attempts import attempts_for
from controller.state.cluster import Cluster


class Patience:
    """The claims that wait by choice, by key."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._since: dict[str, float] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._since

    def __len__(self) -> int:
        return len(self._since)

    def begin(self, key: str) -> datetime:
        """The claim waits from now on, if it does not already; when that ends at the latest."""
        now = self._clock.monotonic()
        waited = now - self._since.setdefault(key, now)
        return self._clock.now() + timedelta(seconds=PATIENCE_SECONDS - waited)

    def end(self, key: str) -> None:
        """It is placed, gone, or has no place to wait past."""
        self._since.pop(key, None)

    def lasts(self, demand: Demand, changing: Collection[str]) -> bool:
        """Whether the claim may wait, or wait on: its time is not up, and no plan was made for it that ended.

        `changing` nodes have a GPU in hand: a plan that ended there a moment ago may have made the place.
        """
        since = self._since.get(demand.key)
        if since is not None and self._clock.monotonic() - since >= PATIENCE_SECONDS:
            return False
        plans = self._cluster.plan_table
        tried = not attempts_for(plans, demand.uid, self._clock.now()).none
        return not tried or not plans.ended_for_claim(demand.uid).isdisjoint(changing)
