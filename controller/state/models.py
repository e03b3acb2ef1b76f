"""How a model is sized: by the ModelProfile that is named, else the oldest that is for it, else by the catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from api.v1beta1 import ModelProfile
from controller.profiles.aim_profile import Metric
from controller.profiles.checkpoints import Checkpoint, as_loaded, checkpoint_of
from controller.profiles.selection import Place, Selected, Service, ServiceProfiles
from controller.runtime.cache.store import StoreEvent
from controller.runtime.logger import Logger
from controller.runtime.manifest import Manifest
from controller.sizing.catalog import Catalog
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.translate.model_profile import InvalidFacts, ProfiledModel, profiled_model

#: Answers kept, of the inputs that were asked for last: pods of one template ask alike.
MOST_KEPT: Final = 4096

_FIRST: Final = datetime.min.replace(tzinfo=UTC)

log = Logger(__name__)


class ProfileNotFound(SizingError):
    """There is no ModelProfile of that name."""

    def __init__(self, name: str) -> None:
        super().__init__("profile", name, "is no ModelProfile that exists", "create it, or leave the field out")


class ProfileInvalid(SizingError):
    """The ModelProfile that would size the model has facts that contradict one another."""

    def __init__(self, field: str, value: str, name: str, facts: InvalidFacts) -> None:
        super().__init__(field, value, f"is sized by ModelProfile {name}, which cannot be used ({facts})", "mend that")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    created: datetime
    model_id: str
    model: ProfiledModel | InvalidFacts

    @property
    def age(self) -> tuple[datetime, str]:
        return self.created, self.name


class Models:
    """Sizes any model, the same for webhooks, claims and services. Answers are kept by their inputs, a bounded number.

    Follows an informer of ModelProfiles by `take`; without one only the catalogue is known. `changes` counts how often
    they said something new.
    """

    def __init__(self, catalog: Catalog, profiles: Iterable[ModelProfile] = (), *, most_kept: int = MOST_KEPT) -> None:
        self._catalog = catalog
        self.changes = 0
        self._entries: dict[str, _Entry] = {}
        self._answered = lru_cache(most_kept)(self._answer)
        self._configured = lru_cache(most_kept)(self._config)
        self._placed = lru_cache(most_kept)(self._select)
        for profile in profiles:
            self._entries[profile.metadata.name] = _entry(profile)
        self._renew()

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        if not profile_differs(event):
            return
        self._entries.pop(event.key, None)
        if event.new is not None:
            try:
                self._entries[event.key] = _entry(ModelProfile.model_validate(event.new))
            except ValueError as error:
                log.warning("object not understood", key=event.key, kind="ModelProfile", error=str(error))
        self._renew()

    def size(self, request: SizingRequest, profile: str | None = None) -> Sizing:
        """What `request` needs, by the ModelProfile of that name if one is given.

        Raises SizingError: what ModelSizingConfig raises, ProfileNotFound, ProfileInvalid.
        """
        answer = self._answered(request, profile)
        if isinstance(answer, SizingError):
            raise answer.with_traceback(None)
        return answer

    def sizes(self, model_id: str, profile: str | None = None) -> ModelSizingConfig:
        """What sizes that model, for those who size it in several ways. Raises ProfileNotFound, ProfileInvalid."""
        found = self._configured(model_id, profile)
        if isinstance(found, SizingError):
            raise found.with_traceback(None)
        return found

    def counts(self, request: SizingRequest, most: int, profile: str | None = None) -> tuple[int, ...]:
        """The numbers of partitions up to `most` that the request's model can be spread over.

        Raises ProfileNotFound, ProfileInvalid, UnknownModel, UnknownFacts, UnsupportedPrecision.
        """
        return self.sizes(request.model_id, profile).possible_ranks(request, most)

    def select(self, service: Service, place: Place, metric: Metric, profile: str | None = None) -> Selected:
        """Profile and engine arguments of a service in a place. Raises as `sizes`, and as ServiceProfiles.select."""
        found = self._placed(service, place, metric, profile)
        if isinstance(found, SizingError):
            raise found.with_traceback(None)
        return found

    def checkpoint(self, model_id: str, precision: Precision, profile: str | None = None) -> Checkpoint | None:
        """What has a model's weights in a resolved precision; None where a ModelProfile says that they exist.

        Raises UnknownModel, UnknownFacts.
        """
        if profile is not None or model_id in self._by_model:
            return None
        return checkpoint_of(self._catalog.get(model_id), precision)

    def mount_path(self, service: Service) -> str:
        """Where the service's profiles are mounted, which needs no facts."""
        return ServiceProfiles(self._base, service).mount_path

    def preferred(self, model_id: str) -> str | None:
        """The name of the ModelProfile that sizes a model where none is named; None where the catalogue does."""
        entry = self._by_model.get(model_id)
        return entry.name if entry is not None else None

    def _renew(self) -> None:
        ordered = sorted(self._entries.values(), key=lambda entry: entry.age, reverse=True)
        self._by_model = {entry.model_id: entry for entry in ordered}
        known = [entry.model.facts for entry in self._by_model.values() if isinstance(entry.model, ProfiledModel)]
        # for the nearest ids of one that is unknown
        self._base = ModelSizingConfig(self._catalog.with_models(known))
        self._answered.cache_clear()
        self._configured.cache_clear()
        self._placed.cache_clear()
        self.changes += 1

    def _answer(self, request: SizingRequest, profile: str | None) -> Sizing | SizingError:
        try:
            sizes = self.sizes(request.model_id, profile)
            return sizes.size(as_loaded(sizes, request))
        except SizingError as error:
            return error

    def _select(self, service: Service, place: Place, metric: Metric, profile: str | None) -> Selected | SizingError:
        try:
            return ServiceProfiles(self.sizes(service.request.model_id, profile), service).select(place, metric)
        except SizingError as error:
            return error

    def _config(self, model_id: str, profile: str | None) -> ModelSizingConfig | SizingError:
        if profile is not None and profile not in self._entries:
            return ProfileNotFound(profile)
        entry = self._by_model.get(model_id) if profile is None else self._entries[profile]
        if entry is None:
            return self._base
        if isinstance(entry.model, InvalidFacts):
            named = ("model_id", model_id) if profile is None else ("profile", profile)
            return ProfileInvalid(*named, entry.name, entry.model)
        # a profile that is named sizes whichever model names it
        return ProfiledSizing(replace(entry.model, facts=replace(entry.model.facts, model_id=model_id)))


class ProfiledSizing(ModelSizingConfig):
    """Sizes the one model of a ModelProfile: in the precisions that there are, with the figures that it gives."""

    def __init__(self, model: ProfiledModel) -> None:
        super().__init__(Catalog((model.facts,)))
        self._model = model

    @property
    def weights_exist(self) -> bool:
        """Its author lists the precisions in which there are weights."""
        return True

    def size(self, request: SizingRequest) -> Sizing:
        """What `request` needs. Raises what ModelSizingConfig raises."""
        self._model.refuse(request.precision)
        return self._model.given(super().size(request))


def models_told_of(event: StoreEvent[Manifest]) -> frozenset[str]:
    """The models that a ModelProfile is or was for, where the event says something new of it; else none."""
    if event.initial or not profile_differs(event):
        return frozenset()
    return frozenset(profile["spec"]["modelId"] for profile in (event.old, event.new) if profile is not None)


def profile_differs(event: StoreEvent[Manifest]) -> bool:
    """Whether a ModelProfile came, went or says something else; its status, which we write, does not count."""
    old, new = event.old, event.new
    if old is None or new is None:
        return old is not new
    return old["metadata"].get("uid") != new["metadata"].get("uid") or old.get("spec") != new.get("spec")


def _entry(profile: ModelProfile) -> _Entry:
    model: ProfiledModel | InvalidFacts
    try:
        model = profiled_model(profile)
    except InvalidFacts as error:
        model = error
    created = profile.metadata.creation_timestamp or _FIRST
    return _Entry(profile.metadata.name, created, profile.spec.model_id, model)
