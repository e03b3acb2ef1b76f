"""Models, their pods and partitions as the settings say, kept over a change of settings as far as they stay.

What requests in flight hold stays counted where it is: a model, pod or partition that is gone is kept aside while it
has any, and is the same one if it comes back meanwhile.
"""

from collections import Counter
from itertools import count

from controller.qos.dispatcher import Dispatcher, shared_out
from controller.qos.place import Classes, Entry, Model, Place
from controller.qos.request import Request
from controller.qos.settings import LimitSettings, Member, ModelSettings, QoSSettings

# A model, and what waited for it.
Waiting = tuple[Model, list[Request]]


class Membership:
    """What there is by now. `weights`: of tenants that have another one than 1."""

    def __init__(self) -> None:
        self.settings = QoSSettings(())
        self.classes = Classes(())
        self.models: dict[str, Model] = {}
        self.partitions: dict[str, Dispatcher] = {}
        self.places: dict[str, Place] = {}
        self.weights: dict[str, int] = {}
        self._left_models: dict[str, Model] = {}
        self._left_partitions: dict[str, Dispatcher] = {}
        self._left_places: dict[str, Place] = {}
        self._numbers = count()

    def apply(self, settings: QoSSettings, now: float) -> tuple[list[Waiting], list[Waiting]]:
        """Take over these settings, which are valid.

        Returns the models that are gone, with what waited for them, and, when the classes are others, what waited for
        the rest: it is in no queue any more, and has to be queued anew.
        """
        anew = self.settings.classes != settings.classes
        self.settings = settings
        if anew:
            self.classes = Classes(settings.classes)
        gone = self._apply_models(settings, now)
        moved = [(one, one.emptied(len(self.classes.ordered))) for one in self.models.values()] if anew else []
        self._apply_partitions(settings, anew)
        weights = {name: one.weight for name, one in settings.tenants.items() if one.weight != 1}
        if weights != self.weights:
            self.weights = weights
            for queue in [queue for model in self.models.values() for queue in model.queues]:
                queue.weigh(weights)
        ready: dict[Model, list[Place]] = {}
        for place in self.places.values():
            if place.seats:
                ready.setdefault(place.model, []).append(place)
        for model in self.models.values():
            self._apply_shares(model, ready.get(model, []))
        for partition in self.partitions.values():
            partition.every = settings.starvation_every
            partition.resize(settings.limit, _seats(settings, partition.key))
        return gone, moved

    def _apply_models(self, settings: QoSSettings, now: float) -> list[Waiting]:
        old, total = self.models, len(self.classes.ordered)
        self._left_models = {key: one for key, one in self._left_models.items() if one.in_flight}
        self.models = {key: self._model(old, wanted, now) for key, wanted in settings.models.items()}
        gone = [one for key, one in old.items() if key not in self.models]
        for one in gone:
            one.places, one.divided = [], None
            self._left_models[one.key] = one
        return [(one, one.emptied(total)) for one in gone]

    def _model(self, old: dict[str, Model], wanted: ModelSettings, now: float) -> Model:
        found = old.get(wanted.model)
        if found is None:
            found = self._left_models.pop(wanted.model, None)
            if found is None:
                return Model(wanted, len(self.classes.ordered), now)
            found.emptied(len(self.classes.ordered))
        if found.settings != wanted:
            found.apply(wanted, now)
        return found

    def _apply_partitions(self, settings: QoSSettings, anew: bool) -> None:
        old, places = self.partitions, self.places
        self._left_partitions = {key: one for key, one in self._left_partitions.items() if one.in_flight}
        self._left_places = {key: one for key, one in self._left_places.items() if one.in_flight}
        self.partitions, self.places = {}, {}
        for key, wanted in settings.partitions.items():
            found = self._partition(old, key, settings.limit, anew)
            self.partitions[key] = found
            self.places |= {one.endpoint: self._place(places, one, found, anew) for one in wanted.members}
            found.places = [self.places[one.endpoint] for one in wanted.members if one.ready]
        for endpoint, place in places.items():
            if self.places.get(endpoint) is not place:
                _leave(place)
                self._left_places[endpoint] = place
        for key, partition in old.items():
            if key not in self.partitions:
                partition.close(self.classes, settings.limit)
                self._left_partitions[key] = partition

    def _partition(self, old: dict[str, Dispatcher], key: str, limits: LimitSettings, anew: bool) -> Dispatcher:
        found = old.get(key)
        if found is None:
            left = self._left_partitions.pop(key, None)
            if left is None:
                return Dispatcher(key, self.classes, limits)
            found, anew = left, True
        if anew:
            found.arrange(self.classes)
        return found

    def _place(self, places: dict[str, Place], member: Member, partition: Dispatcher, anew: bool) -> Place:
        model = self.models[member.model]
        left = self._left_places.pop(member.endpoint, None)
        place = places.get(member.endpoint) or left
        if place is None or place.model is not model or place.partition is not partition:
            place = Place(member, model, partition, next(self._numbers))
        if anew or place is left or not place.entries:
            model.divided = None  # its entries are to be weighed anew
            place.need = None
            place.entries = [
                Entry(place, line, queue, next(self._numbers))
                for line, queue in zip(partition.lines, model.queues, strict=True)
            ]
        place.member = member
        place.seats = member.seats if member.ready else 0
        if not member.ready:
            _leave(place)
        return place

    def _apply_shares(self, model: Model, places: list[Place]) -> None:
        """Its minimum and headroom over its Ready places; several of it at one partition have one turn together."""
        wanted = model.settings
        divided = (wanted.minimum, wanted.headroom, wanted.weight, [(place, place.seats) for place in places])
        if model.divided == divided:
            return  # nothing else goes into it
        model.places, model.divided = places, divided
        shares = shared_out(wanted.minimum, places)
        headrooms = shared_out(wanted.headroom, places)
        together = Counter(place.partition.key for place in places)
        for place, share, headroom in zip(places, shares, headrooms, strict=True):
            place.share, place.headroom = share, min(headroom, share)
            for entry in place.entries:
                entry.per_cost = together[place.partition.key] / wanted.weight


def _leave(place: Place) -> None:
    """It gets nothing new."""
    place.seats = place.share = place.minimum = place.headroom = 0


def _seats(settings: QoSSettings, partition: str) -> int:
    wanted = settings.partitions[partition]
    together = sum(one.seats for one in wanted.members if one.ready)
    return together if wanted.seats is None else min(wanted.seats, together)
