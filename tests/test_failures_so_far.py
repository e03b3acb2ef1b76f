"""The end of a run's last part names what failed in every part."""

from pathlib import Path

import pytest

from tests.failures_so_far import MOST, told

pytest_plugins = ["pytester"]

PLUGIN = Path(__file__).with_name("failures_so_far.py")
QUIET = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.fixture
def parts(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(failures_so_far=PLUGIN.read_text())
    pytester.makeconftest('pytest_plugins = ["failures_so_far"]')
    pytester.makepyfile(
        test_first="""
        import pytest

        @pytest.fixture
        def broken():
            raise OSError("no such card")

        def test_breaks():
            assert 2 == 3, "two is not three"

        def test_never_starts(broken):
            pass
        """,
        test_last="def test_holds():\n    pass",
        test_unreadable="import of_nothing",
    )
    return pytester


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one-process", "workers"])
def test_the_last_part_names_failures_of_the_first(parts: pytest.Pytester, workers: tuple[str, ...]) -> None:
    file = f"--failures={parts.path / 'build' / 'failures.txt'}"
    parts.runpytest_subprocess(*QUIET, file, *workers, "test_first.py").assert_outcomes(failed=1, errors=1)
    last = parts.runpytest_subprocess(*QUIET, file, "test_last.py")
    last.assert_outcomes(passed=1)
    section = next(at for at, line in enumerate(last.outlines) if "failures of this part" in line)
    said = list(filter(None, last.outlines[section + 1 :]))
    assert said[0].startswith("test_first.py::test_breaks: AssertionError: two is not three")
    assert said[1] == "test_first.py::test_never_starts (setup): OSError: no such card"
    assert "1 passed" in said[-1]
    assert len(said) == 3  # two failures, told once each, and pytest's own


def test_a_file_that_cannot_be_collected_is_named(parts: pytest.Pytester) -> None:
    file = parts.path / "failures.txt"
    parts.runpytest_subprocess(*QUIET, f"--failures={file}", "test_unreadable.py").assert_outcomes(errors=1)
    (line,) = file.read_text().splitlines()
    assert line.startswith("test_unreadable.py (collect): ")
    assert "of_nothing" in line


def test_without_failures_nothing_is_told(parts: pytest.Pytester) -> None:
    file = parts.path / "failures.txt"
    result = parts.runpytest_subprocess(*QUIET, f"--failures={file}", "test_last.py")
    result.assert_outcomes(passed=1)
    assert not file.exists()
    assert "failures of this part" not in result.stdout.str()


def test_many_tests_of_one_broken_fixture_are_one_line() -> None:
    lines = [f"tests/test_a.py::test[{number}] (setup): OSError: no such card" for number in range(90)]
    assert told([*lines, "tests/test_b.py::test: assert 2 == 3"]) == [
        "tests/test_a.py::test[0] (setup) and 89 more: OSError: no such card",
        "tests/test_b.py::test: assert 2 == 3",
    ]


def test_beyond_a_dozen_messages_the_rest_are_counted() -> None:
    said = told([f"tests/test_a.py::test_{number}: {number}" for number in range(MOST + 5)])
    assert (len(said), said[-1]) == (MOST + 1, "and 5 more kinds of failures: see above")
