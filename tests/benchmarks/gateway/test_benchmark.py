from collections.abc import Sequence
from typing import cast

import pytest

from e2e.plane.progress import Progress
from tests.benchmarks.gateway.benchmark import Benchmark
from tests.benchmarks.gateway.load import Counted, Load
from tests.benchmarks.gateway.rows import DIRECT, OURS
from tests.benchmarks.gateway.settings import Settings
from tests.benchmarks.gateway.site import OURS_OFF, Run, Site
from tests.benchmarks.gateway.subject import SubjectError


class Stand:
    """Answers in place of processes: each subject its own rate, and who is in `broken` not at all."""

    def __init__(self, broken: Sequence[str] = ()) -> None:
        self.broken = broken
        self.order: list[str] = []

    def names(self, wanted: Sequence[str]) -> list[str]:
        return list(wanted)

    def run(self, name: str, load: Load) -> Run:
        self.order.append(name)
        if name in self.broken:
            raise SubjectError(f"{name} answered nothing")
        rates = {OURS: 400, OURS_OFF: 450, DIRECT: 900}
        return Run(Counted(rates.get(name, 100) * load.seconds, load.seconds, 0.1, 0.2, 0), 10.0)


def benchmark() -> Benchmark:
    return Benchmark(Settings(runs=3, peers=("haproxy", "smg")), Progress(live=False))


def test_each_run_begins_with_the_next_subject() -> None:
    stand, found = Stand(), benchmark()
    found._throughput(cast("Site", stand), [OURS, "haproxy", "smg"])
    measured = stand.order[3:15]  # after one run each to warm up
    assert measured == [
        *(OURS, "haproxy", "smg", DIRECT),
        *("haproxy", "smg", DIRECT, OURS),
        *("smg", DIRECT, OURS, "haproxy"),
    ]
    assert found._measured.samples("requests_per_second_c64", OURS) == (400.0, 400.0, 400.0)
    assert found._measured.samples("cpu_us_per_request_qos_off", OURS) == (10.0, 10.0, 10.0)


def test_a_peer_that_fails_is_told_and_has_no_sample() -> None:
    found = benchmark()
    found._throughput(cast("Site", Stand(broken=["smg"])), [OURS, "haproxy", "smg"])
    assert found._measured.samples("requests_per_second_c64", "smg") == ()
    assert found._notes == ["no sample: smg answered nothing"] * 4


@pytest.mark.parametrize("name", [OURS, OURS_OFF, DIRECT])
def test_one_of_ours_that_fails_ends_the_benchmark(name: str) -> None:
    with pytest.raises(SubjectError):
        benchmark()._throughput(cast("Site", Stand(broken=[name])), [OURS, "haproxy"])
