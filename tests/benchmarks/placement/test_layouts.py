import shutil
from itertools import product

import pytest

from controller.gpu.mode import mode
from controller.placement.layouts.choice import choose
from controller.placement.layouts.problem import Batch, LayoutClaim
from controller.placement.layouts.search import Effort
from tests.benchmarks.placement.layouts import kinds
from tests.benchmarks.placement.layouts_fleet import Fleet
from tests.benchmarks.placement.layouts_model import model_of
from tests.benchmarks.placement.layouts_online import LOAD, arrivals, rules, simulate
from tests.benchmarks.placement.layouts_samples import MOST_CLAIMS, Kind, sample
from tests.benchmarks.placement.milp import Model
from tests.builders.layout import batch, layout_node, waiting


def best_of(model: Model) -> float:
    """The best whole-number solution, by trying all: for models of a dozen columns."""
    ranges = [range(int(lower), int(upper) + 1) for lower, upper, _ in model.columns]
    allowed = (
        values
        for values in product(*ranges)
        if all(lower <= sum(c * values[i] for i, c in terms.items()) <= upper for lower, upper, terms in model.rows)
    )
    return max(sum(gain * n for (_, _, gain), n in zip(model.columns, v, strict=True)) for v in allowed)


SPX_OR_DPX = layout_node("a", 1, modes=("SPX/NPS1", "DPX/NPS1"))


@pytest.mark.parametrize(
    ("asked", "want_gib"),
    [
        pytest.param(batch(SPX_OR_DPX, waiting("a", 80), waiting("b", 70)), 150, id="divided for two"),
        pytest.param(batch(SPX_OR_DPX, waiting("a", 80), waiting("b", 120)), 120, id="whole for the larger"),
        pytest.param(batch(SPX_OR_DPX, waiting("pair", 60, 2), waiting("b", 110)), 120, id="two ranks"),
        pytest.param(batch(SPX_OR_DPX, waiting("a", 80, modes=["QPX/NPS1"])), 0, id="a mode that is not there"),
        pytest.param(batch(SPX_OR_DPX, waiting("a", 80, nodes=frozenset("b"))), 0, id="another node"),
    ],
)
def test_the_model_s_best_solution_is_what_can_be_placed(asked: Batch, want_gib: int) -> None:
    assert best_of(model_of(asked)) == pytest.approx(want_gib)
    placed = {seat.claim for seat in choose(asked, effort=Effort(50)).seats}
    assert sum(claim.bytes for claim in asked.claims if claim.key in placed) == want_gib << 30


def test_a_sample_is_always_the_same_and_asks_for_what_it_says() -> None:
    kind = Kind(1.2, 64)
    found = sample(kind, 7)
    assert found == sample(kind, 7) != sample(kind, 8)
    free = sum(gpu.now.size * gpu.now.free for node in found.nodes for gpu in node.gpus)
    asked = sum(claim.bytes for claim in found.claims)
    assert asked >= 1.2 * free or len(found.claims) == MOST_CLAIMS


def test_samples_are_of_every_demand() -> None:
    found = list(kinds(36))
    assert {kind.demand for kind in found} == {0.8, 0.9, 1.0, 1.1, 1.2, 1.3}
    assert min(kind.gpus for kind in found) == 64


def test_a_fleet_changes_no_gpu_that_somebody_holds() -> None:
    fleet = Fleet(["MI300X"], mode("DPX/NPS1"))
    host = fleet.hosts[0]
    fleet.seat(LayoutClaim("one", 1 << 30), host, ((0, 1),))
    assert {gpu for _, modes in host.changes(LayoutClaim("two", 100 << 30)) for gpu in modes} == {1}
    with pytest.raises(ValueError, match="is held"):
        host.change({0: mode("SPX/NPS1")})
    with pytest.raises(ValueError, match="two memory modes"):
        host.change({1: mode("CPX/NPS4")})


def test_a_fleet_gives_nothing_out_twice() -> None:
    fleet = Fleet(["MI210"], mode("SPX/NPS1"))
    fleet.seat(LayoutClaim("one", 1 << 30), fleet.hosts[0], ((0, 1),))
    with pytest.raises(ValueError, match="0 free"):
        fleet.seat(LayoutClaim("two", 1 << 30), fleet.hosts[0], ((0, 1),))
    fleet.leave("one")
    assert (fleet.allocated, fleet.hosts[0].free[0]) == (0, 1)


def test_claims_come_at_the_load_that_is_said() -> None:
    capacity = 1 << 44
    found = list(arrivals(400, 1, capacity))
    offered = sum(each.claim.bytes * each.stays for each in found) / found[-1].at
    assert offered / capacity == pytest.approx(LOAD, rel=0.2)


def test_every_rule_ends_with_a_share_of_the_fleet() -> None:
    for name, (rule, start) in rules(0).items():
        fleet = Fleet(["MI300X"], start)
        share = simulate(rule, fleet, list(arrivals(25, 0, fleet.capacity)))
        assert 0 <= share <= 100, name


def test_uv_or_an_installed_solver_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from tests.benchmarks.placement import milp

    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(milp, "_ENVIRONMENT", tmp_path)
    milp._interpreter.cache_clear()
    with pytest.raises(milp.SolverError, match="make bench"):
        list(milp.solve([Model()], gap=0.1, seconds=1.0))
