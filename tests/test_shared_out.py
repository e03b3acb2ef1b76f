"""Who runs what, and when, on made-up workers; then on pytest's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.shared_out import SharedOut, Unit, unit

pytest_plugins = ["pytester"]

PLUGIN = Path(__file__).with_name("shared_out.py")


@dataclass(eq=False)
class Recorded:
    """A worker that records what it was told; `left` it has not run yet."""

    name: str
    left: list[int] = field(default_factory=list)
    ran: list[int] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.left += indices

    def shutdown(self) -> None:
        self.shutting_down = True


FILES = {
    "test_a.py": Unit("test_a.py", plane=False, seconds=0),
    "test_p.py": Unit("test_p.py", plane=True, seconds=0),
    "test_q.py": Unit("test_q.py", plane=True, seconds=600),
    "test_b.py": Unit("test_b.py", plane=False, seconds=300),
    "test_r.py": Unit("test_r.py", plane=True, seconds=300),
    "test_n.py": Unit("group", plane=True, seconds=400),
    "test_o.py": Unit("group", plane=False, seconds=0),
}
TESTS = [f"{file}::test_{number}" for file in FILES for number in range(2)]


def started(workers: int, planes: int = 1) -> tuple[SharedOut, list[Recorded]]:
    scheduler = SharedOut(workers, planes, FILES.__getitem__)
    made = [Recorded(f"gw{number}") for number in range(workers)]
    for worker in made:
        scheduler.add_node(worker)
    for worker in made:
        assert not scheduler.collection_is_completed
        scheduler.add_node_collection(worker, TESTS)
    scheduler.schedule()
    return scheduler, made


def run_one(scheduler: SharedOut, worker: Recorded) -> bool:
    """What a worker does: it runs a test when it has the next one, or was told that there is none."""
    if not worker.left or (len(worker.left) < 2 and not worker.shutting_down):
        return False
    index = worker.left.pop(0)
    worker.ran.append(index)
    scheduler.mark_test_complete(worker, index)
    return True


def run(scheduler: SharedOut, workers: Sequence[Recorded]) -> None:
    while [worker for worker in workers if run_one(scheduler, worker)]:
        pass
    assert scheduler.tests_finished
    assert not scheduler.has_pending
    assert all(worker.shutting_down for worker in workers)
    assert [scheduler.remove_node(worker) for worker in workers] == [None] * len(workers)


def names(indices: Sequence[int]) -> list[str]:
    """The files of these tests, each where it comes first."""
    return list(dict.fromkeys(TESTS[index].split("::")[0] for index in indices))


def test_some_have_a_plane_and_the_longest_come_first() -> None:
    scheduler, (first, second) = started(2)

    run(scheduler, [first, second])

    assert names(first.ran) == ["test_q.py", "test_n.py", "test_o.py", "test_r.py", "test_p.py"]
    assert names(second.ran) == ["test_b.py", "test_a.py"]


def test_who_has_run_all_with_a_plane_helps_with_the_rest_and_nobody_starts_one_more() -> None:
    scheduler, workers = started(2)
    first, second = workers
    while run_one(scheduler, first):
        pass
    assert names(first.ran) == ["test_q.py", "test_n.py", "test_o.py", "test_r.py", "test_p.py", "test_a.py"]

    run(scheduler, workers)

    assert names(second.ran) == ["test_b.py"]


def test_a_group_stays_with_one_worker() -> None:
    scheduler, workers = started(3, planes=2)

    run(scheduler, workers)

    assert [{"test_n.py", "test_o.py"} & {*names(worker.ran)} for worker in workers] == [
        set(),
        {"test_n.py", "test_o.py"},
        set(),
    ]


def test_every_test_is_run_once_however_many_workers() -> None:
    for count in (1, 2, 5, 12):
        scheduler, workers = started(count)
        run(scheduler, workers)
        assert sorted(index for worker in workers for index in worker.ran) == list(range(len(TESTS)))


def test_what_a_crashed_worker_had_left_is_run_by_the_one_in_its_place() -> None:
    scheduler, (first, second) = started(2)
    run_one(scheduler, first)
    crashed = first.left[0]

    assert scheduler.remove_node(first) == TESTS[crashed]
    place = Recorded("gw2")
    scheduler.add_node(place)
    scheduler.add_node_collection(place, TESTS)
    scheduler.schedule()
    run(scheduler, [second, place])

    assert sorted([*first.ran, crashed, *second.ran, *place.ran]) == list(range(len(TESTS)))


def test_workers_that_collected_something_else_are_told_of() -> None:
    scheduler = SharedOut(2, 1, FILES.__getitem__)
    for tests, worker in ((TESTS, Recorded("gw0")), ([*TESTS[:-1], "test_p.py::other"], Recorded("gw1"))):
        scheduler.add_node(worker)
        if tests is TESTS:
            scheduler.add_node_collection(worker, tests)
        else:
            with pytest.raises(ValueError, match=r"different tests.*test_o.py::test_1.*test_p.py::other"):
                scheduler.add_node_collection(worker, tests)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("def test(): ...", Unit("test_x.py", plane=False, seconds=0), id="neither"),
        pytest.param("pytestmark = pytest.mark.plane", Unit("test_x.py", plane=True, seconds=0), id="plane"),
        pytest.param("# of planes: mark.planet", Unit("test_x.py", plane=False, seconds=0), id="another word"),
        pytest.param(
            "@pytest.mark.timeout(60)\n@pytest.mark.timeout(300)",
            Unit("test_x.py", plane=False, seconds=300),
            id="limits",
        ),
        pytest.param(
            'pytestmark = [pytest.mark.plane, pytest.mark.xdist_group("some")]',
            Unit("some", plane=True, seconds=0),
            id="group",
        ),
    ],
)
def test_a_files_text_says_what_it_needs(text: str, want: Unit) -> None:
    assert unit("test_x.py", text) == want


def test_pytest_goes_by_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shared_out=PLUGIN.read_text())
    pytester.makeconftest('pytest_plugins = ["shared_out"]')
    pytester.makeini("[pytest]\nmarkers =\n  plane: has one")
    ran = "open(worker_id, 'a').write('{} ')"
    for number in range(3):
        marked = f"import pytest\n@pytest.mark.plane\ndef test(worker_id): {ran.format('plane')}"
        others = f"def test_one(worker_id): {ran.format('none')}\ndef test_two(): pass"
        pytester.makepyfile(**{f"test_p{number}": marked, f"test_u{number}": others})

    quiet = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
    pytester.runpytest_subprocess(*quiet, "-n", "2", "--planes", "1").assert_outcomes(passed=9)

    written = sorted(path.read_text().split() for path in pytester.path.glob("gw*"))
    assert [set(words) for words in written if "plane" not in words] == [{"none"}]
    assert [words.count("plane") for words in written if "plane" in words] == [3]
