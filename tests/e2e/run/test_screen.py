import pytest

from e2e.run.expectation import expectation
from e2e.run.install import ROOT
from e2e.run.screen import introduction


@pytest.mark.parametrize(
    ("kserve", "want_parts"),
    [
        pytest.param(True, ("built once", "KSERVE=0 leaves it out"), id="with KServe"),
        pytest.param(False, ("KServe is left out", "team-search/mistral-small-24b"), id="without"),
    ],
)
def test_where_kserve_stands_is_told_first(kserve: bool, want_parts: tuple[str, ...]) -> None:
    told = introduction(expectation(ROOT / "examples", kserve=kserve))
    assert [part for part in want_parts if part not in told] == []
