import pytest

from e2e.publish.__main__ import SOURCE, named_versions
from e2e.publish.version import objections, version_of

NAMED = {"pyproject.toml": "1.2.3", "Chart.yaml": "1.2.3"}
CHANGELOG = "## [1.3.0] - Unreleased\n\n## [1.2.3] - 2027-01-31\n"


@pytest.mark.parametrize(
    ("tag", "version"),
    [("v1.2.3", "1.2.3"), ("1.2.3", None), ("v1.2", None), ("v1.2.3-rc1", None), ("v1.2.3\n", None), ("v$(id)", None)],
)
def test_a_tag_names_a_version(tag: str, version: str | None) -> None:
    assert version_of(tag) == version


def test_a_tag_of_what_stands_everywhere_may_be_released() -> None:
    assert objections("v1.2.3", NAMED, CHANGELOG) == []


@pytest.mark.parametrize(
    ("tag", "named", "changelog", "says"),
    [
        ("main", NAMED, CHANGELOG, ["tag main: not of the form v1.2.3"]),
        ("v1.2.3", {**NAMED, "Chart.yaml": "1.2.2"}, CHANGELOG, ["Chart.yaml has version 1.2.2, the tag says 1.2.3"]),
        ("v1.2.3", NAMED, "## [1.2.30] - 2027-01-31\n", ["CHANGELOG.md has no heading ## [1.2.3] - DAY"]),
        (
            "v1.2.3",
            NAMED,
            "## [1.2.3] - Unreleased\n",
            ["CHANGELOG.md says Unreleased of 1.2.3: write the day of the release, as 2027-01-31"],
        ),
    ],
    ids=["no release", "another version in a file", "not in the changelog", "no day"],
)
def test_what_keeps_a_tag_from_being_released(tag: str, named: dict[str, str], changelog: str, says: list[str]) -> None:
    assert objections(tag, named, changelog) == says


def test_the_version_is_read_where_it_stands() -> None:
    found = named_versions(SOURCE)
    assert len(found) == 3
    assert len(set(found.values())) == 1
