"""Under any order of calls the queue gives what a slow and obvious model gives, and no item twice at a time."""

from dataclasses import dataclass
from itertools import count

from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, floats, integers, none, one_of, sampled_from

from controller.runtime.workqueue.work_queue import WorkQueue

items = integers(0, 4)
priorities = sampled_from([-100, 0, 7])
delays = floats(0, 10, allow_nan=False)


@dataclass
class Wanted:
    """`due` None: ready, or behind the same item's worker; `order`: when that, or the present delay, was asked for."""

    priority: int
    due: float | None
    order: int


class Model:
    """What is wanted, in a dict that every question searches from end to end."""

    def __init__(self) -> None:
        self.wanted: dict[int, Wanted] = {}
        self.working: dict[int, int] = {}
        self.shut = False
        self._order = count()

    def add(self, item: int, priority: int) -> None:
        if self.shut:
            return
        entry = self.wanted.get(item)
        if entry is None or entry.due is not None:
            priority = max(priority, entry.priority if entry else priority)
            self.wanted[item] = Wanted(priority, None, next(self._order))
        else:
            entry.priority = max(entry.priority, priority)

    def add_after(self, item: int, due: float, priority: int | None) -> None:
        if self.shut:
            return
        priority = self.working.get(item, 0) if priority is None else priority
        entry = self.wanted.get(item)
        if entry is None:
            self.wanted[item] = Wanted(priority, due, next(self._order))
            return
        entry.priority = max(entry.priority, priority)
        if entry.due is not None and due < entry.due:
            entry.due, entry.order = due, next(self._order)

    def get(self, now: float) -> int | None:
        late = [(entry.due, entry.order, item) for item, entry in self.wanted.items() if entry.due is not None]
        for due, _, item in sorted(late):
            if due <= now:
                self.wanted[item] = Wanted(self.wanted[item].priority, None, next(self._order))
        free = self.ready()
        if not free:
            return None
        item = min(free, key=lambda item: (-self.wanted[item].priority, self.wanted[item].order))
        self.working[item] = self.wanted.pop(item).priority
        return item

    def ready(self) -> list[int]:
        return [item for item, entry in self.wanted.items() if entry.due is None and item not in self.working]

    def dues(self) -> list[float]:
        return [entry.due for entry in self.wanted.values() if entry.due is not None]

    def shut_down(self, drain: bool) -> None:
        self.shut = True
        self.wanted = {item: entry for item, entry in self.wanted.items() if drain and entry.due is None}


class QueueMachine(RuleBasedStateMachine):
    """The queue and the model are told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[int] = WorkQueue()
        self.model = Model()
        self.now = 0.0

    @rule(item=items, priority=priorities)
    def add(self, item: int, priority: int) -> None:
        before = len(self.model.ready())
        more = self.queue.add(item, self.now, priority)
        self.model.add(item, priority)
        assert more == (len(self.model.ready()) > before)

    @rule(item=items, delay=delays, priority=one_of(none(), priorities))
    def add_after(self, item: int, delay: float, priority: int | None) -> None:
        self.queue.add_after(item, delay, self.now, priority)
        if delay > 0:
            self.model.add_after(item, self.now + delay, priority)
        else:
            self.model.add(item, self.model.working.get(item, 0) if priority is None else priority)

    @rule(item=items)
    def fail(self, item: int) -> None:
        delay = self.queue.add_rate_limited(item, self.now)
        self.model.add_after(item, self.now + delay, None)

    @rule(seconds=delays)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def get(self) -> None:
        assert self.queue.get(self.now) == self.model.get(self.now)

    @precondition(lambda self: self.model.working)
    @rule()
    def done(self) -> None:
        item = next(iter(self.model.working))
        del self.model.working[item]
        assert self.queue.done(item, self.now) == (item in self.model.ready())

    @precondition(lambda self: not self.model.shut)
    @rule(drain=booleans())
    def shut_down(self, drain: bool) -> None:
        self.queue.shut_down(drain=drain)
        self.model.shut_down(drain)

    @invariant()
    def figures_agree(self) -> None:
        found, model = self.queue.statistics(self.now), self.model
        assert (found.processing, found.waiting) == (len(model.working), len(model.dues()))
        assert found.depth == sum(found.depths.values()) == len(model.ready())
        for priority, depth in found.depths.items():
            assert depth == sum(model.wanted[item].priority == priority for item in model.ready())
        assert self.queue.next_due() == min(model.dues(), default=None)
        assert self.queue.drained == (model.shut and not model.wanted)

    @invariant()
    def the_list_of_items_is_complete_and_in_order(self) -> None:
        listed = self.queue.items(100, self.now)
        wanted = [found.item for found in listed if found.state != "processing"]
        assert sorted(wanted) == sorted(self.model.wanted)
        ready = [found.item for found in listed if found.state == "ready"]
        assert ready == sorted(
            self.model.ready(), key=lambda item: (-self.model.wanted[item].priority, self.model.wanted[item].order)
        )

    def teardown(self) -> None:
        """Whatever is wanted comes out in the end."""
        far = self.now + 10_000
        for item in list(self.model.working):
            self.queue.done(item, self.now)
        self.model.working.clear()
        while (taken := self.model.get(far)) is not None:
            assert self.queue.get(far) == taken
        assert self.queue.get(far) is None


TestQueue = QueueMachine.TestCase
