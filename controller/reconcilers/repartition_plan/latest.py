"""Plans as this process knows them: as the informer shows them, or as we have written them since."""

from collections.abc import Iterator

from api.v1beta1 import RepartitionPlan
from controller.state.plans import Plans


class LatestPlans:
    """Remembers what was written until the informer shows it, so that budgets count it at once."""

    def __init__(self, shown: Plans) -> None:
        self._shown = shown
        self._written: dict[str, tuple[str, RepartitionPlan]] = {}

    def __iter__(self) -> Iterator[RepartitionPlan]:
        for plan in self._shown.values():
            yield self._written[plan.metadata.name][1] if self.overtaken(plan) else plan

    def wrote(self, over: RepartitionPlan, plan: RepartitionPlan) -> None:
        """`plan` was stored over the version that `over` has."""
        if over.metadata.resource_version != plan.metadata.resource_version:
            self._written[plan.metadata.name] = over.metadata.resource_version or "", plan

    def overtaken(self, plan: RepartitionPlan) -> bool:
        """Whether the informer still shows what we have written over: nothing may be done by it."""
        written = self._written.get(plan.metadata.name)
        return written is not None and written[0] == plan.metadata.resource_version

    def forget(self, name: str) -> None:
        """The plan is gone."""
        self._written.pop(name, None)
