"""Whatever happens in whatever order, the rules of the ledger hold after every call and at every dispatch."""

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.qos.settings import QoSSettings
from tests.controller.qos.draws import STEPS, by_seed, drawn
from tests.controller.qos.traffic import CLASSES, Drawn, Step, play


@given(drawn=st.lists(drawn(), min_size=1, max_size=3), steps=STEPS)
@settings(max_examples=150)
def test_every_rule_holds_in_every_history(drawn: list[Drawn], steps: list[Step]) -> None:
    play(drawn, steps)


def test_histories_by_seed_hold_them_as_well_and_meet_everything_that_can_happen() -> None:
    played = [play(*by_seed(seed)) for seed in range(150)]
    reasons = {why.reason for ledger in played for _, why in ledger.refused}
    wanted = {"QueueFull", "Shed", "NoEndpoint", "QueueTimeout", "DeadlineUnreachable", "DeadlineExceeded"}
    assert wanted | {"UnknownModel", "UnknownClass"} <= reasons
    assert sum(one.promoted for ledger in played for one in ledger.dispatches) > 20
    assert sum(ledger.outcomes["completed"] for ledger in played) > 3000


@given(drawn=drawn())
@settings(max_examples=50)
def test_settings_that_are_drawn_are_valid(drawn: Drawn) -> None:
    assert drawn.settings().validated() == []
    assert QoSSettings(CLASSES).validated() == []
