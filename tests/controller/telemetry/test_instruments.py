import re

from controller.runtime.instrument import Instrument
from controller.telemetry import instruments

ALL = [value for value in vars(instruments).values() if isinstance(value, Instrument)]


def test_names_are_distinct_snake_case_and_ours() -> None:
    names = [instrument.name for instrument in ALL]
    assert len(names) == len(set(names)) >= 3
    assert all(re.fullmatch(r"aim(_[a-z]+)+", name) for name in names)


def test_units_are_not_repeated_in_names_and_every_one_is_described() -> None:
    for instrument in ALL:
        assert instrument.unit
        assert len(instrument.description) > 20
        assert not instrument.name.endswith(("_bytes", "_total", "_seconds"))
