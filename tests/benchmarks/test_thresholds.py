from pathlib import Path

import pytest

from tests.benchmarks.controller.samples import unit_of
from tests.benchmarks.thresholds import Bound, Threshold, bounds, thresholds


def test_every_bound_of_the_controller_benchmark_is_of_a_metric_and_says_why() -> None:
    found = thresholds("controller")
    assert {unit_of(metric) for metric in found} == {"objects/s", "ms", "MB"}
    assert all(bound.why and 0 < bound.margin < 1 for bound in found.values())


def test_the_targets_of_the_design_stand_there() -> None:
    found = thresholds("controller")
    assert {found[f"throughput_{size}"].ratio_at_least for size in ("1k", "5k", "10k")} == {1.5}
    assert {found[f"event_to_reconcile_p{percent}_ms"].ratio_at_most for percent in (50, 99)} == {1.0}
    assert {found[f"rss_10k_pods_{kept}"].ratio_at_most for kept in ("full", "projected")} == {0.8}
    assert {found[f"rss_10k_pods_{kept}_increment"].ratio_at_most for kept in ("full", "projected")} == {0.5}


@pytest.mark.parametrize("bounds", [{}, {"ratio_at_least": 1.0, "ratio_at_most": 2.0}])
def test_a_threshold_has_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one of the two"):
        Threshold("go", 0.1, "why", **bounds)


def test_an_unknown_benchmark_is_named(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text("[packing.fgd]\n")
    with pytest.raises(KeyError, match="packing"):
        thresholds("controller", path)


@pytest.mark.parametrize("sides", [{}, {"at_least": 1.0, "at_most": 2.0}])
def test_a_bound_has_one_side(sides: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one of the two"):
        Bound("why", **sides)


def test_the_accuracy_asked_of_sizing_stands_there() -> None:
    found = {
        metric: bound.at_most if bound.at_least is None else bound.at_least
        for metric, bound in bounds("sizing").items()
    }
    assert found == {
        "weights_error_p50": 0.01,
        "weights_error_p95": 0.03,
        "weights_log_error_p50": 0.03,
        "weights_log_error_p95": 0.08,
        "kv_bytes_per_token_error_p50": 0.01,
        "kv_tokens_error_p50": 0.05,
        "kv_tokens_error_p90": 0.15,
        "failed_called_safe": 0,
        "succeeded_called_safe": 0.9,
        "need_within_uncertainty": 0.9,
        "need_fits_and_fails": 0,
        "class_left_out_failed_called_safe": 0,
        "class_left_out_kv_tokens_error_p50": 0.075,
        "class_left_out_kv_tokens_error_p90": 0.225,
        "class_left_out_succeeded_called_safe": 0.85,
    }
