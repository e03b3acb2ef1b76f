from tests.benchmarks.binding.benchmark import Measured, notes, rows
from tests.benchmarks.binding.burst import Held
from tests.benchmarks.binding.held import AtRest
from tests.benchmarks.binding.processors import OPERATOR, Spent

OPEN = Spent(0.5, {OPERATOR: 0.1, "etcd": 0.3})
SETTLED = Spent(0.9, {OPERATOR: 0.2, "etcd": 0.4})
WRITES = {("operator", "patch pods"): 2, ("kube-scheduler", "create pods/binding"): 4}
HELD = Held([10.0, 30.0, 20.0], [100.0, 300.0], OPEN, SETTLED, WRITES)


def test_rows_say_what_the_samples_are() -> None:
    found = {row.metric: row for row in rows(Measured(HELD))}
    assert (found["single_p50_ms"].ours, found["burst_pods_per_second"].ours) == (20.0, 4.0)
    assert (found["single_p50_ms"].met, found["burst_pods_per_second"].met) == (True, False)
    assert (found["burst_processor_ms_a_pod"].ours, found["burst_operator_ms_a_pod"].ours) == (200.0, 100.0)
    assert (found["burst_writes_of_ours_a_pod"].ours, found["burst_writes_a_pod"].ours) == (1.0, 3.0)


def test_the_rate_is_told_as_a_share_of_what_the_machine_does_without_us() -> None:
    measured = Measured(HELD, floor=Spent(0.25, {"etcd": 0.1}), floor_claims=Spent(0.4, {"etcd": 0.2}))
    found = {row.metric: row.ours for row in rows(measured)}
    assert (found["floor_pods_per_second"], found["burst_share_of_floor"]) == (8.0, 0.5)
    assert (found["floor_claims_pods_per_second"], found["burst_share_of_floor_claims"]) == (5.0, 0.8)


def test_the_operator_at_rest_has_rows_of_its_own() -> None:
    at_rest = AtRest(12.0, 100.0, Spent(10.0, {OPERATOR: 0.5}), [5.0, 7.0, 6.0], 20.0)
    found = {row.metric: row.ours for row in rows(Measured(HELD, at_rest=at_rest))}
    assert (found["held_operator_percent_at_rest"], found["held_single_p50_ms"]) == (5.0, 6.0)


def test_notes_say_who_computed_and_who_wrote() -> None:
    text = "\n".join(notes(Measured(HELD)))
    assert "etcd 150.0, operator 50.0; 0.5 s" in text
    assert "2.00  kube-scheduler: create pods/binding" in text
