from random import Random

from controller.reconcilers.gpu_partition_claim.refusals import SPARED_SECONDS, Refusals


def test_a_pod_is_spared_for_a_while_that_differs_from_pod_to_pod() -> None:
    refusals = Refusals(Random(1))
    for number in range(100):
        refusals.add(f"uid-{number}", 10.0)
    assert len(refusals.current(10.0 + SPARED_SECONDS - 1)) == 100
    assert 0 < len(refusals.current(10.0 + 1.25 * SPARED_SECONDS)) < 100
    assert refusals.current(10.0 + 1.5 * SPARED_SECONDS) == frozenset()
