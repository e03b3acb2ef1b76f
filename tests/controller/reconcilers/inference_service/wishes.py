"""A service whose objectives want larger partitions, on a node with an eighth of a GPU taken and halves beside it."""

from datetime import timedelta
from typing import Any

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.inference_service import AppliedRevision
from controller.gpu.identity import PartitionId
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu
from controller.reconcilers.inference_service.backend import deployment_for
from controller.reconcilers.inference_service.deciding import Decided, Deciding
from controller.reconcilers.inference_service.resizing import DAMPING, Resizing, sized_for
from controller.reconcilers.inference_service.revision import hash_of
from controller.reconcilers.inference_service.updating import Offered, Updating
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, gpu
from tests.builders.inference_service import inference_service
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING

KEY = "team-a/chat"
NEEDED = 20 * GIB
EIGHTH, HALF = gpu(0, "CPX/NPS1"), gpu(1, "DPX/NPS1")
WISH = {"reason": "BurnRateHigh", "wantMemory": "80Gi", "observedBurn": "14.4"}
AUTO: dict[str, Any] = {"partition": {"resize": "Auto"}}
UP, DOWN, REST = (timedelta(seconds=s) for s in (DAMPING.up_seconds, DAMPING.down_seconds, DAMPING.rest_seconds))


class Wishes:
    """The service `chat`, what it wishes for, and what is decided at each look."""

    def __init__(self, *gpus: Gpu, pods: int = 1, **spec: Any) -> None:
        self.fed = FedCluster()
        self.fed.add_node("worker-0", *(gpus or (EIGHTH, HALF)))
        self.spec: dict[str, Any] = {"gpuSharing": AUTO, "replicas": pods} | spec
        self.applied: AppliedRevision | None = None
        self.wish: dict[str, Any] | None = None
        for number in range(pods):
            self.serves(f"chat-{number}", 0, number, EIGHTH)
        self.updating = Updating(self.fed.cluster, SIZING, self.fed.clock, ModelScheduler())
        self.restart()
        self.applied = AppliedRevision(hash=self.hash(), generation=2)

    def restart(self) -> None:
        """Another operator takes over: it remembers nothing."""
        resizing = Resizing(self.fed.cluster, self.fed.clock)
        self.deciding = Deciding(self.updating, resizing, self.fed.clock, self._offer)

    def serves(self, name: str, number: int, index: int, of: Gpu, *, annotations: dict[str, str] | None = None) -> None:
        labels = {"labels": {SERVICE_LABEL: "chat"}}
        made = pod(name, claim=f"aim-{name}", gates=(), node="worker-0", metadata=labels, annotations=annotations)
        self.fed.put(self.fed.cluster.pods, made)
        held = {"phase": "Allocated", "allocation": allocation("worker-0", number, index, of=of)}
        self.fed.put(self.fed.cluster.claims, claim(f"aim-{name}", pod=name, status=held))

    def moves(self, name: str, number: int, index: int, of: Gpu) -> None:
        """The rollout is over: the pod's successor serves from there."""
        self.serves(name, number, index, of)
        assert self.applied is not None
        self.applied = self.applied.model_copy(update={"strategy": None, "places": []})
        self.fed.cluster.update_places.assume(KEY, ())

    def taken(self, number: int, index: int, of: Gpu) -> None:
        """Somebody else has that partition."""
        held = {"phase": "Allocated", "allocation": allocation("worker-0", number, index, of=of)}
        self.fed.put(self.fed.cluster.claims, claim(f"aim-x{number}{index}", pod="other", status=held))

    @property
    def service(self) -> InferenceService:
        made = inference_service(model={"maxModelLen": 2048}, **self.spec)
        wanted = InferenceService.model_validate(
            {**made.model_dump(by_alias=True), "status": {"resizeRequest": self.wish}}
        )
        status = wanted.status.model_copy(update={"applied": self.applied})
        return made.model_copy(update={"status": status})

    @property
    def claims(self) -> list[GPUPartitionClaim]:
        known = self.fed.cluster.claim_table.values()
        return [each for each in known if not each.metadata.name.startswith("aim-x")]

    def look(self, after: timedelta = timedelta()) -> Decided:
        """A look once so much time has passed; what it applies stands in the status from then on."""
        for _ in range(int(after.total_seconds() // 10)):
            self.fed.clock.tick(10)
            self.fed.beat("worker-0")
        decided = self.deciding.decide(KEY, self.service, NEEDED, self.claims)
        self.applied = decided.step.applied
        return decided

    def looks(self, over: timedelta) -> Decided:
        """A look every half a minute; the last one."""
        decided = self.look()
        for _ in range(int(over.total_seconds() // 30)):
            decided = self.look(timedelta(seconds=30))
        return decided

    def hash(self, least: int = 0) -> str:
        return hash_of(deployment_for(sized_for(self.service, least))["spec"]["template"])

    def places(self) -> list[PartitionId]:
        assert self.applied is not None
        return [PartitionId(place.bdf, place.partition) for place in self.applied.places]

    def _offer(self, key: str, service: InferenceService) -> Offered:
        template = deployment_for(service)["spec"]["template"]
        return Offered(template, template["spec"], deployment_for(self.service))
