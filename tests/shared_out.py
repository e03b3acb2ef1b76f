"""pytest plugin: which worker runs which file, where some tests have a control plane and wait, and the others compute.

``--planes=2`` with ``-n`` lets the first two workers run the files with a control plane, which starts once in each of
them, while the other workers run the files that need none; who waits leaves its core to who computes. Workers whose
files with a plane are done help with the rest. Files that may take longest, by the limit that they set, start first:
none of them is left when all else is done. Files of one ``xdist_group`` run one after the other on one worker: what they set up
is there once.

In: a file's text, for what it is marked with. Out: a scheduler for pytest-xdist. ``-n auto`` is then one worker for each plane and
one for each core but one.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

_PLANE = re.compile(r"\bmark\.plane\b")
_GROUP = re.compile(r"\bmark\.xdist_group\(\"([^\"]+)\"\)")
_LIMIT = re.compile(r"\bmark\.timeout\((\d+)")


class Worker(Protocol):
    """What a scheduler asks of a worker of pytest-xdist."""

    @property
    def shutting_down(self) -> bool:
        """Whether it was told to end."""

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Have it run these tests, by their place among those that it collected, after those that it has."""

    def shutdown(self) -> None:
        """Have it end after the tests that it has."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Tests that one worker runs one after the other. `seconds` is the longest limit that one of them sets, 0 without any."""

    name: str
    plane: bool
    seconds: int


def unit(file: str, text: str) -> Unit:
    """The unit of a file of tests with such a text."""
    group = _GROUP.search(text)
    limits = [int(found) for found in _LIMIT.findall(text)]
    return Unit(group[1] if group else file, _PLANE.search(text) is not None, max(limits, default=0))


class SharedOut:
    """A scheduler of pytest-xdist, by the names and in the order in which that calls it; see the module."""

    def __init__(self, workers: int, planes: int, unit_of: Callable[[str], Unit]) -> None:
        """`workers` there are, `planes` of them with a control plane; `unit_of` tells the unit of a file's path."""
        self._workers, self._planes, self._unit_of = workers, planes, unit_of
        self._collected: dict[Worker, Sequence[str]] = {}
        self._given: dict[Worker, list[int]] = {}
        self._tests: Sequence[str] | None = None
        self._waiting: dict[bool, deque[list[int]]] = {True: deque(), False: deque()}

    @property
    def nodes(self) -> list[Worker]:
        """The workers there are."""
        return list(self._given)

    @property
    def collection_is_completed(self) -> bool:
        """Whether every worker has told its tests."""
        return len(self._collected) >= self._workers

    @property
    def has_pending(self) -> bool:
        """Whether a test is left that was not run to its end."""
        return any(self._waiting.values()) or any(self._given.values())

    @property
    def tests_finished(self) -> bool:
        """Whether nothing is left but the last test of each worker, which it runs when it is told to end."""
        return (
            self.collection_is_completed
            and not any(self._waiting.values())
            and all(len(given) < 2 for given in self._given.values())
        )

    def add_node(self, node: Worker) -> None:
        """A worker has started, maybe in the place of one that crashed."""
        self._given[node] = []

    def add_node_collection(self, node: Worker, collection: Sequence[str]) -> None:
        """It has told its tests. Raises ValueError where they are not those of the first."""
        first = next(iter(self._collected.values()), collection)
        if list(collection) != list(first):
            differ = sorted({*collection} ^ {*first})[:5] or ["their order"]
            raise ValueError(f"workers collected different tests; make ids the same in every process: {differ}")
        self._collected[node] = collection

    def schedule(self) -> None:
        """All have told their tests: share them out. Again: give some to a worker that came later."""
        if self._tests is None:
            self._tests = next(iter(self._collected.values()))
            self._share(self._tests)
        for node in self.nodes:
            self._fill(node)

    def mark_test_complete(self, node: Worker, item_index: int, duration: float = 0) -> None:
        """A worker has run a test to its end."""
        self._given[node].remove(item_index)
        self._fill(node)

    def remove_node(self, node: Worker) -> str | None:
        """A worker has ended. The test in which it crashed, if it did; what it had left goes to others."""
        left = self._given.pop(node)
        if not left or self._tests is None:
            return None
        crashed, *others = left
        if others:
            plane = self._unit_of(_file(self._tests[crashed])).plane
            self._waiting[plane].appendleft(others)
        for each in self.nodes:
            self._fill(each)
        return self._tests[crashed]

    def mark_test_pending(self, item: str) -> None:
        """Of schedulers that run a test again."""
        raise NotImplementedError

    def remove_pending_tests_from_node(self, node: Worker, indices: Sequence[int]) -> None:
        """Of schedulers that take tests back."""
        raise NotImplementedError

    def _share(self, tests: Sequence[str]) -> None:
        files: dict[str, set[Unit]] = {}
        indices: dict[str, list[int]] = {}
        for index, test in enumerate(tests):
            found = self._unit_of(_file(test))
            files.setdefault(found.name, set()).add(found)
            indices.setdefault(found.name, []).append(index)
        longest = {name: max(one.seconds for one in units) for name, units in files.items()}
        for name in sorted(files, key=lambda name: -longest[name]):
            self._waiting[any(one.plane for one in files[name])].append(indices[name])

    def _fill(self, node: Worker) -> None:
        """Give a worker more before it has nothing: it runs a test when it knows which comes after it, or that none does."""
        given = self._given[node]
        while not node.shutting_down and len(given) < 2:
            if (more := self._next(node)) is None:
                node.shutdown()
                return
            given.extend(more)
            node.send_runtest_some(more)

    def _next(self, node: Worker) -> list[int] | None:
        has_plane = node in self.nodes[: self._planes]
        for plane in (True, False) if has_plane else (False,):
            if self._waiting[plane]:
                return self._waiting[plane].popleft()
        return None


def _file(test: str) -> str:
    return test.split("::", 1)[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--planes", type=int, default=0, metavar="N", help="with -n: N workers have a control plane, the others none"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One for each plane, as many as there are cores but one beside them; without planes as xdist has it."""
    planes: int = config.getoption("--planes")
    return planes + max(1, (os.cpu_count() or 1) - 1) if planes else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> SharedOut | None:
    """Ours, where planes are shared."""
    planes: int = config.getoption("--planes")
    if not planes:
        return None
    known: dict[str, Unit] = {}

    def unit_of(file: str) -> Unit:
        if file not in known:
            known[file] = unit(file, Path(config.rootpath, file).read_text(encoding="utf-8"))
        return known[file]

    return SharedOut(len(config.option.tx), planes, unit_of)
