import pytest

from dashboards.draw.units import UnknownUnit, text


@pytest.mark.parametrize(
    ("value", "unit", "want"),
    [
        pytest.param(192 * 2**30, "bytes", "192 GiB", id="a card"),
        pytest.param(512, "bytes", "512 B", id="few bytes"),
        pytest.param(0.425, "percentunit", "42.5 %", id="a share"),
        pytest.param(0.0025, "s", "2.5 ms", id="milliseconds"),
        pytest.param(5400, "s", "1.5 h", id="hours"),
        pytest.param(0, "s", "0 s", id="no time"),
        pytest.param(34090, "reqps", "34.1 k req/s", id="thousands"),
        pytest.param(1.5, "cpm", "1.5 /min", id="counts in a minute"),
        pytest.param(0, "bool_yes_no", "No", id="no"),
        pytest.param(1, "bool_yes_no", "Yes", id="yes"),
        pytest.param(float("nan"), "s", "NaN", id="no figure"),
    ],
)
def test_figures_are_read_with_their_unit(value: float, unit: str, want: str) -> None:
    assert text(value, unit) == want


def test_a_unit_that_is_not_known_is_named() -> None:
    with pytest.raises(UnknownUnit, match="furlong"):
        text(1, "furlong")
