"""What befalls a change on a plane besides the products of the sweep; counted apart from them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from controller.agent.simulated_faults import Call, Fault, ScriptedFault
from controller.reconcilers.repartition_plan.remedy import GPU_MISSING
from controller.repartition.phases import Phase
from tests.integration.sweep.checks import modes, twice_allocated, unsettled
from tests.integration.sweep.plane_case import begin
from tests.integration.sweep.scripts import PlaneScript, strike
from tests.integration.sweep.site import PLANS, Site
from tests.sweep.scripts import MEMORY


async def gpu_lost_for_good(site: Site, number: int) -> None:
    """A GPU is gone after the reload and never comes back: the others go back, and a person is told what to do."""
    site.choose()
    site.lost = site.gpu
    before = modes(site, site.node)

    def lose(where: Site) -> None:
        strike(ScriptedFault(Fault.GPU_LOST, Call.RELOAD_DRIVER, node=where.node, gpu=where.lost))(where)

    begin(site, PlaneScript(MEMORY, at={Phase.APPLYING: lose}), f"incident-{number}-{site.node}")
    await site.settled(unsettled)
    status = site.plane.admin.get(f"{PLANS}/{site.plan}")["status"]
    assert status["phase"] == Phase.FAILED, f"{status['message']}; taken {site.taken}"
    (degraded,) = [one for one in status["conditions"] if one["type"] == "Degraded"]
    remedy = f"Not there any more: {site.lost}. Power {site.node} off and on; replace the GPU if it stays away."
    assert (degraded["status"], degraded["reason"]) == ("True", GPU_MISSING), degraded
    assert remedy in degraded["message"], degraded
    assert modes(site, site.node) == before, f"the others are not as before: {degraded['message']}"
    missing = [gpu["bdf"] for gpu in site.gpu_node()["status"]["missingGpus"]]
    assert missing == [site.lost], missing
    assert not twice_allocated(site), degraded
    await site.mend(unsettled)


INCIDENTS: Final[Mapping[str, Callable[[Site, int], Awaitable[None]]]] = {
    "a-gpu-is-lost-for-good-at-the-reload": gpu_lost_for_good,
}
"""By name."""
