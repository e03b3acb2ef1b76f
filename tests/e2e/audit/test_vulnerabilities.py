import pytest

from e2e.audit.__main__ import CLEAN, FOUND, UNSEEN, tell
from e2e.audit.vulnerabilities import Weaknesses, read

HEARD = {"name": "a", "version": "1.0", "vulns": []}
WEAK = {
    "name": "b",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"]}, {"id": "GHSA-2", "fix_versions": []}],
}
UNHEARD = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1.0)"}


def test_a_report_tells_what_is_weak_and_what_was_not_looked_at() -> None:
    assert read({"dependencies": [HEARD, WEAK, UNHEARD]}, "the index") == Weaknesses(
        ("b 2.0: PYSEC-1, mended in 2.1, 3.0", "b 2.0: GHSA-2, mended in no version yet"),
        ("c",),
        "the index does not know them",
    )


@pytest.mark.parametrize(
    ("unlicensed", "weaknesses", "code"),
    [
        pytest.param([], Weaknesses((), ()), CLEAN, id="nothing is found"),
        pytest.param([], Weaknesses(("b 2.0: PYSEC-1",), ()), FOUND, id="a vulnerability"),
        pytest.param(["d: GPL-3.0-only"], Weaknesses((), ()), FOUND, id="a licence"),
        pytest.param(
            [], Weaknesses((), ("c",), "nobody answers"), UNSEEN, id="an index that cannot be asked is no pass"
        ),
        pytest.param([], Weaknesses(("b 2.0: PYSEC-1",), ("c",)), FOUND, id="what is found counts before what is not"),
    ],
)
def test_the_exit_code(
    unlicensed: list[str], weaknesses: Weaknesses, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(3, unlicensed, weaknesses) == code
    told = capsys.readouterr().out
    assert all(line in told for line in (*unlicensed, *weaknesses.known))
    assert ("NOT LOOKED UP: 1 distributions, first c: " in told) is bool(weaknesses.unseen)
    assert weaknesses.why in told
    assert f"of the {3 - len(weaknesses.unseen)} that were looked up" in told
