"""Under any order of calls: no item is with two workers, and none that was asked for is lost."""

from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import floats, integers

from controller.runtime.workqueue.work_queue import WorkQueue

items = integers(0, 4)
delays = floats(0, 10, allow_nan=False)


class QueueMachine(RuleBasedStateMachine):
    """`owed`: asked for since a worker last took it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[int] = WorkQueue()
        self.now = 0.0
        self.working: set[int] = set()
        self.owed: set[int] = set()

    @rule(item=items)
    def add(self, item: int) -> None:
        self.queue.add(item, self.now)
        self.owed.add(item)

    @rule(item=items, delay=delays)
    def add_after(self, item: int, delay: float) -> None:
        self.queue.add_after(item, delay, self.now)
        self.owed.add(item)

    @rule(item=items)
    def fail(self, item: int) -> None:
        self.queue.add_rate_limited(item, self.now)
        self.owed.add(item)

    @rule(seconds=delays)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def get(self) -> None:
        item = self.queue.get(self.now)
        if item is not None:
            assert item not in self.working
            self.working.add(item)

    @precondition(lambda self: self.working)
    @rule()
    def done(self) -> None:
        self.queue.done(self.working.pop(), self.now)

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.statistics(self.now).processing == len(self.working)

    def teardown(self) -> None:
        """Whatever was added after its last get comes out in the end."""
        far = self.now + 10_000
        for working in self.working:
            self.queue.done(working, self.now)
        before = self.queue.statistics(self.now)
        taken: set[int] = set()
        while (item := self.queue.get(far)) is not None:
            taken.add(item)
            self.queue.done(item, far)
        assert taken <= self.owed
        assert len(taken) >= max(before.depth, before.waiting)
        assert self.queue.statistics(far).depth == self.queue.statistics(far).waiting == 0


TestQueue = QueueMachine.TestCase
