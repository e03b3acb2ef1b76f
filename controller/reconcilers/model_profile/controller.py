"""The ModelProfile reconciler: sizes the model by its facts and writes a status that differs."""

from api.object import dump
from api.v1beta1 import ModelProfile
from controller.reconcilers.model_profile.status import status_of
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.sizing.errors import SizingError
from controller.sizing.requirement import ModelSizingConfig
from controller.state.cluster import Cluster
from controller.state.kinds import MODEL_PROFILES
from controller.state.models import Models

#: A profile that moved on under us is looked at again after this many seconds.
SOON_SECONDS = 0.2


class ModelProfileReconciler:
    """Takes one ModelProfile to a status that says what comes of it."""

    def __init__(self, client: Client, cluster: Cluster, sizing: Models, clock: Clock) -> None:
        self._client = client
        self._cluster = cluster
        self._sizing = sizing
        self._clock = clock

    async def reconcile(self, request: Request) -> Result:
        """Size, compare, write."""
        stored = self._cluster.model_profiles.store.get(request.key)
        if stored is None or stored["metadata"].get("deletionTimestamp") is not None:
            return Result()
        try:
            profile = ModelProfile.model_validate(stored)
        except ValueError as error:
            raise TerminalError(f"ModelProfile {request.name} cannot be read: {error}") from error
        preferred = self._sizing.preferred(profile.spec.model_id)
        status = status_of(profile, self._sizes(profile), preferred, self._clock.now())
        if status == profile.status:
            return Result()
        body = dump(profile.model_copy(update={"status": status}))
        try:
            await self._client.replace(MODEL_PROFILES, body, subresource="status")
        except NotFound:
            return Result()
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)
        return Result()

    def _sizes(self, profile: ModelProfile) -> ModelSizingConfig | SizingError:
        try:
            return self._sizing.sizes(profile.spec.model_id, profile.metadata.name)
        except SizingError as error:
            return error
