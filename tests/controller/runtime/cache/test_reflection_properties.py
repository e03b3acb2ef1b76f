"""Whatever a server answers and whenever it fails: once it answers again, the copy is the server's state.

The model server has what real ones have: a history with an oldest version, lists that may be older than the latest
state, pages of one version, streams with initial events in any order, and backups from which it is restored, so that
versions go back and come again with other contents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.runtime.cache.messages import (
    Applied,
    BookmarkSeen,
    EventSeen,
    Failed,
    Failure,
    ListPage,
    PageListed,
    Removed,
    Report,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.cache.reflection import Phase, Reflection
from controller.runtime.cache.store import Store
from controller.runtime.manifest import Manifest
from tests.controller.runtime.cache.following import follow

Reports = Iterator[Report[Manifest]]
State = dict[str, Manifest]
EXPIRED = Failed(Failure.EXPIRED)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "delete", "compact", "restore"]),
        st.sampled_from("abc"),
        st.integers(1, 3),
    ),
    max_size=4,
)
FAILURES: list[Report[Manifest]] = [WatchEnded(), *(Failed(failure) for failure in Failure)]


@dataclass
class Server:
    """A collection; `states` is its state at each version that it remembers. `silent`: watches from its future wait.

    `restored`: it is from a backup, and nobody has read it anew since. A real server knows a version of before for
    such only as long as that is in its future; this one always does, for the rest cannot be noticed by anybody.
    """

    draw: st.DataObject
    silent: bool = False
    version: int = 10
    states: dict[int, State] = field(default_factory=lambda: {10: {}})
    events: dict[int, EventSeen[Manifest]] = field(default_factory=dict)
    restored: bool = False

    @property
    def objects(self) -> State:
        return self.states[self.version]

    def change(self) -> None:
        """What happens to the collection while nobody looks."""
        for what, name, value in self.draw.draw(CHANGES):
            if what == "put":
                self._put(name, value)
            elif what == "delete" and name in self.objects:
                self._delete(name)
            elif what == "compact":
                self.states = {self.version: self.objects}
            elif what == "restore":
                self.version = sorted(self.states)[-value:][0]
                self.states = {old: state for old, state in self.states.items() if old <= self.version}
                self.restored = True

    def answer(self, action: ListPage | Watch) -> Reports:
        if isinstance(action, Watch):
            yield WatchOpened()
        if action.resource_version not in {None, "0"} and self.restored:
            plain_watch = isinstance(action, Watch) and not action.initial_events
            if not (plain_watch and self.silent):
                yield EXPIRED
        elif isinstance(action, ListPage):
            yield from self._page(action)
        elif action.initial_events:
            yield from self._stream()
        else:
            yield from self._since(int(action.resource_version or -1), ends_initial=False)

    def _put(self, name: str, value: int) -> None:
        held = self.objects.get(name)
        uid = held["metadata"]["uid"] if held else f"{name}{self.version}"
        obj = {"metadata": {"name": name, "uid": uid, "resourceVersion": str(self.version + 1)}, "value": value}
        self._next(EventSeen("MODIFIED" if held else "ADDED", obj), {**self.objects, name: obj})

    def _delete(self, name: str) -> None:
        rest = dict(self.objects)
        last = rest.pop(name)
        gone = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.version + 1)}}
        self._next(EventSeen("DELETED", gone), rest)

    def _next(self, event: EventSeen[Manifest], state: State) -> None:
        self.version += 1
        self.events[self.version] = event
        self.states[self.version] = state

    def _page(self, action: ListPage) -> Reports:
        if action.continue_token:
            at, start = map(int, action.continue_token.split("/"))
        elif action.resource_version is None:
            at, start, self.restored = self.version, 0, False
        else:  # any state that is not older, from memory
            served = [version for version in self.states if version >= int(action.resource_version)]
            at, start = self.draw.draw(st.sampled_from(served)) if served else -1, 0
        if at not in self.states:
            yield EXPIRED
            return
        items = [self.states[at][name] for name in sorted(self.states[at])]
        end = start + (self.draw.draw(st.integers(1, 3)) if action.limit else len(items))
        yield PageListed(items[start:end], str(at), f"{at}/{end}" if end < len(items) else None)

    def _stream(self) -> Reports:
        self.restored = False
        at = self.version
        for obj in self.draw.draw(st.permutations(list(self.objects.values()))):
            yield EventSeen("ADDED", obj)
        yield from self._since(at, ends_initial=True)

    def _since(self, seen: int, *, ends_initial: bool) -> Reports:
        self.change()
        while seen in self.states and seen < self.version and not self.restored:
            seen += 1
            yield self.events[seen]
            if self.draw.draw(st.booleans()):
                yield self.events[seen]  # twice
        if seen not in self.states or self.restored:
            yield EXPIRED
            return
        if ends_initial or self.draw.draw(st.booleans()):
            yield BookmarkSeen(str(seen), ends_initial)
        if ends_initial:
            self.change()
            yield from self._since(seen, ends_initial=False)


class Copy:
    """A machine with its store, and a handler's mirror of it."""

    def __init__(self, rng: Random, *, streaming: bool) -> None:
        self.machine: Reflection[Manifest] = Reflection(rng, streaming=streaming)
        self.store: Store[Manifest] = Store()
        self.mirror: State = {}
        self.now = 0.0

    def report(self, happened: Report[Manifest]) -> None:
        change = self.machine.step(happened, self.now)
        if change is None:
            return
        if isinstance(change, Applied):
            events = self.store.apply(change.object)
        elif isinstance(change, Removed):
            events = self.store.remove(change.object)
        else:
            events = self.store.replace(change.items)
        for event in events:
            follow(self.mirror, event)

    def act(self, server: Server, cut: Report[Manifest] | None = None, after: int = 0) -> None:
        """Do what the machine asks for. With `cut` the answer ends so, after some of its parts."""
        action = self.machine.next_action()
        self.now += action.delay
        for position, part in enumerate(server.answer(action)):
            listing = isinstance(action, ListPage)
            if cut is not None and position >= after and not isinstance(part, WatchOpened):
                self.report(Failed(Failure.UNREACHABLE) if listing and isinstance(cut, WatchEnded) else cut)
                return
            self.report(part)
            if isinstance(part, Failed):
                assert self.machine.next_action().delay > 0, "a refusal must never become a busy loop"
                return
        if isinstance(action, Watch):
            self.now += 60.0
            self.report(WatchEnded())


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_the_copy_ends_as_the_servers_state(data: st.DataObject, silent: bool, streaming: bool, rng: Random) -> None:
    server, copy = Server(data, silent), Copy(rng, streaming=streaming)
    for _ in range(data.draw(st.integers(0, 6))):
        server.change()
        copy.act(server, data.draw(st.none() | st.sampled_from(FAILURES)), data.draw(st.integers(0, 4)))
    for _ in range(12):  # nothing happens and nothing fails any more: a list of four pages, expired once, and a watch
        server.change = lambda: None  # type: ignore[method-assign]
        copy.act(server)
    assert copy.machine.phase in {Phase.WATCHING, Phase.CHECKING}
    assert dict(copy.store.snapshot()) == server.objects == copy.mirror


@settings(deadline=None)
@given(st.data(), st.randoms(use_true_random=False))
def test_every_snapshot_stays_what_it_was(data: st.DataObject, rng: Random) -> None:
    server, copy = Server(data), Copy(rng, streaming=True)
    taken = []
    for _ in range(data.draw(st.integers(1, 5))):
        copy.act(server)
        snapshot = copy.store.snapshot()
        taken.append((snapshot, dict(snapshot)))
    assert all(snapshot == was for snapshot, was in taken)
