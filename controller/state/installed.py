"""Whether the API server knows our kinds at all: without them nothing of ours can work, and a person has to help."""

from random import Random

import structlog

from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.errors import ApiError, NotFound
from controller.runtime.clock import Clock
from controller.state.kinds import GPU_NODES

NOT_INSTALLED = (
    f"the API server does not know {GPU_NODES}: install our kinds with "
    "`aim-gpu crds | kubectl apply --server-side -f -`"
)


async def wait_installed(client: Client, clock: Clock, rng: Random) -> None:
    """Return once the API server serves our kinds; while it does not, say so, less and less often.

    What else it answers, or that nobody does, is for those who read them.
    """
    backoff, log = Backoff(rng), structlog.get_logger(__name__)
    while True:
        try:
            await client.list_page(GPU_NODES, Selection(), limit=1)
        except NotFound:
            delay = backoff.failed(clock.monotonic())
            log.warning(NOT_INSTALLED, retry_seconds=round(delay, 1))
            await clock.sleep(delay)
        except ApiError:
            return
        else:
            return
