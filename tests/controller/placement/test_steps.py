from controller.placement.steps import Steps, finished


def counting(most: int) -> Steps[int]:
    for _ in range(most):
        yield
    return most


def test_the_outcome_of_steps_is_what_they_return() -> None:
    assert finished(counting(3)) == 3
    assert finished(counting(0)) == 0
