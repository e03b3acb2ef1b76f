import os

from tests.benchmarks.binding.processors import resident_mib
from tests.benchmarks.scale.readings import complaints, look_of, peak_mib

PAGE = """\
workqueue_depth{name="gpupartitionclaim",priority="0"} 3
workqueue_depth{name="gpupartitionclaim",priority="100"} 4
workqueue_depth{name="gpunode",priority="0"} 0
controller_runtime_active_workers{controller="gpunode"} %d
controller_runtime_reconcile_errors_total{controller="gpunode"} 2
"""


def test_depths_are_summed_over_priorities() -> None:
    found = look_of(PAGE % 1)
    assert (found.depths, found.busy, found.errors) == ({"gpupartitionclaim": 7, "gpunode": 0}, 1, 2)


def test_idle_is_who_has_nothing_waiting_and_nothing_under_way() -> None:
    empty = PAGE.replace("} 3", "} 0").replace("} 4", "} 0")
    assert [look_of(page).idle for page in (empty % 0, empty % 1, PAGE % 0)] == [True, False, False]


def test_a_peak_is_no_less_than_what_there_is() -> None:
    assert peak_mib(os.getpid()) >= resident_mib(os.getpid()) > 1


def test_a_log_is_read_for_what_it_warns_of() -> None:
    lines = [
        '{"event": "reconcile failed", "error": "timed out", "level": "error"}\n',
        '{"event": "reconcile failed", "error": "timed out", "level": "error"}\n',
        '{"event": "slow", "level": "warning"}\n',
        '{"event": "ready", "level": "info"}\n',
        "WARNING asyncio a line of a library\n",
    ]
    assert complaints(lines) == {"reconcile failed: timed out": 2, "slow": 1}
