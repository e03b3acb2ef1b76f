"""What the sweep on a plane chooses and tells, without a plane."""

import json
from pathlib import Path

from tests.integration.sweep.incidents import INCIDENTS
from tests.integration.sweep.outcome import Outcome
from tests.integration.sweep.sweeping import chosen
from tests.sweep.case import cases
from tests.sweep.faults import fault_cases


def test_all_of_it_is_both_products_and_the_incidents() -> None:
    assert len(chosen("all", "")) == len(cases()) + len(fault_cases()) + len(INCIDENTS)


def test_a_case_is_chosen_by_its_name_though_others_end_alike() -> None:
    assert chosen("all", "NotTold-from-Draining") == ["NotTold-from-Draining"]
    assert set(chosen("all", "Told-from-Draining")) == {"NotTold-from-Draining", "ModeNotTold-from-Draining"}
    assert chosen("quick", "NotTold-from-Draining") == []
    assert set(chosen("all", "NotTold-from-Draining,for-good")) == {"NotTold-from-Draining", *INCIDENTS}


def test_the_outcome_so_far_is_told_and_written(tmp_path: Path) -> None:
    outcome = Outcome(seed=3, chosen=240, ran={"a": 1.5}, current="b")
    assert outcome.standing() == "case 2 of 240, 0 violations: b"
    outcome.end(2.04, "lost a claim")
    assert json.loads(outcome.write(tmp_path)) == {"seed": 3, "chosen": 240, "cases": 2, "violations": 1}
    written = json.loads((tmp_path / "sweep.json").read_text())
    assert written["ran"] == {"a": 1.5, "b": 2.0}
    assert written["violations"] == {"b": "lost a claim"}
