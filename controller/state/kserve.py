"""KServe, where it is installed: whether its InferenceServices are served, and the informer that watches them then."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from controller.runtime.cache.informer import Handler, Informer
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.errors import ApiError, Forbidden, NotFound
from controller.runtime.clock import Clock
from controller.runtime.logger import Logger
from controller.runtime.manifest import Manifest
from controller.runtime.objects.pod import Pod
from controller.state.kinds import KSERVE_SERVICES

#: KServe's label on the pods of an InferenceService: its name.
POD_LABEL = "serving.kserve.io/inferenceservice"
#: Between two looks whether KServe is served, seconds.
LOOK_SECONDS = 30.0
#: While that is not known yet, because the API server did not answer.
LOOK_AGAIN_SECONDS = 1.0
#: Controllers wait so long for the first look, seconds, and no longer: KServe is a part that may be missing.
FIRST_LOOK_SECONDS = 5.0


class KServe:
    """Looks for KServe every 30 s for as long as it runs; a `Source` of events on KServe's InferenceServices.

    `served`: whether the API server serves that kind (and lets us read it); None until it has answered once. The
    informer starts when the kind is first served and goes on from then on: it holds nothing while the kind is gone.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.services: Informer[Manifest] = Informer(client, KSERVE_SERVICES, project=_kept, clock=clock)
        self.served: bool | None = None
        self._known = asyncio.Event()
        self._changed: list[Callable[[], None]] = []
        self._log = Logger(__name__)

    def __str__(self) -> str:
        return "look-out for KServe"

    def on_change(self, call: Callable[[], None]) -> None:
        """Call `call` whenever `served` has got another value."""
        self._changed.append(call)

    def add_handler(self, handler: Handler[Manifest]) -> None:
        """As an informer's."""
        self.services.add_handler(handler)

    async def wait_synced(self, timeout: float) -> None:
        """Wait for the first look and, where KServe is, its first list: some seconds at most, and no error."""
        try:
            async with asyncio.timeout(min(timeout, FIRST_LOOK_SECONDS)):
                await self._known.wait()
                if self.served:
                    await self.services.wait_synced(FIRST_LOOK_SECONDS)
        except TimeoutError:
            self._log.info("not waiting for KServe's services any longer", served=self.served)

    async def run(self) -> None:
        """Look, and watch once there is something to watch, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            watching = False
            while True:
                await self._look()
                if self.served and not watching:
                    tasks.create_task(self.services.run(), name=str(self.services))
                    watching = True
                await self._clock.sleep(LOOK_AGAIN_SECONDS if self.served is None else LOOK_SECONDS)

    def found(self, *, served: bool) -> None:
        """Take note of what a look has shown."""
        self._known.set()
        if self.served is served:
            return
        self.served = served
        self._log.info(
            "KServe's InferenceServices are served" if served else "KServe's InferenceServices are not served"
        )
        for call in self._changed:
            call()

    async def _look(self) -> None:
        try:
            await self._client.list_page(KSERVE_SERVICES, Selection(), limit=1)
        except NotFound:
            self.found(served=False)
        except Forbidden as error:
            if self.served is not False:
                self._log.warning("KServe is left out; bind ClusterRole aim-gpu-operator-kserve", error=str(error))
            self.found(served=False)
        except ApiError as error:
            self._log.warning("whether KServe is there is not known", error=str(error))
        else:
            self.found(served=True)


def kserve_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/name` of their InferenceService of KServe's."""
    name = pod.metadata.labels.get(POD_LABEL)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


def _kept(service: Manifest) -> Manifest:
    """What reconciling reads of a service: a pod template of some kilobytes would be kept for nothing."""
    service["metadata"].pop("managedFields", None)
    predictor = (service.get("spec") or {}).get("predictor") or {}
    status = service.get("status") or {}
    kept: dict[str, Any] = {key: service[key] for key in ("apiVersion", "kind", "metadata") if key in service}
    kept["spec"] = {"predictor": {key: predictor[key] for key in ("annotations",) if key in predictor}}
    kept["status"] = {key: status[key] for key in ("address", "conditions") if key in status}
    return kept
