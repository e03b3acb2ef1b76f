import pytest

from e2e.audit.licences import ALLOWED, READ, refused, stated


def metadata(*fields: tuple[str, str]) -> dict[str, list[str]]:
    """A distribution's metadata."""
    return {name: [value for other, value in fields if other == name] for name, _ in fields}


APACHE = ("Classifier", "License :: OSI Approved :: Apache Software License")
MIT = ("Classifier", "License :: OSI Approved :: MIT License")
GPL = ("Classifier", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([("License-Expression", "MIT"), APACHE, ("License", "X")], "MIT", id="an expression goes first"),
        pytest.param([APACHE, ("License", "Apache 2.0")], "Apache-2.0", id="a classifier before free text"),
        pytest.param([APACHE, MIT], "Apache-2.0 AND MIT", id="of two classifiers both must be kept"),
        pytest.param([("License", "MIT")], "MIT", id="free text where there is nothing else"),
        pytest.param(
            [MIT, GPL, ("License", "GPL-3.0")], "GPL-3.0", id="a classifier we do not know is not passed over"
        ),
        pytest.param([MIT, GPL], "", id="nor taken for the one beside it"),
        pytest.param([("License", "A licence\nof many lines")], "A licence", id="the first line of a text"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_what_a_distribution_says(fields: list[tuple[str, str]], expected: str) -> None:
    assert stated("anything", metadata(*fields)) == expected


def test_what_a_person_read_goes_before_what_is_said() -> None:
    assert stated("amdsmi", metadata(("License", "Copyright (c) ..."))) == "MIT"
    assert [name for name, expression in READ.items() if refused(expression)] == []


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("MIT", []),
        ("Apache-2.0 AND MIT", []),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", []),
        ("GPL-3.0-only OR MIT", []),
        ("GPL-3.0-only", ["GPL-3.0-only"]),
        ("GPL-3.0-only AND MIT", ["GPL-3.0-only"]),
        ("GPL-3.0-only OR AGPL-3.0-only", ["GPL-3.0-only", "AGPL-3.0-only"]),
        ("MIT AND (GPL-2.0-only OR SSPL-1.0)", ["GPL-2.0-only", "SSPL-1.0"]),
        ("", ["no licence"]),
        ("MIT AND", ["MIT AND"]),
        ("Copyright (c) somebody", ["Copyright (c) somebody"]),
    ],
)
def test_what_may_not_be_shipped(expression: str, names: list[str]) -> None:
    assert refused(expression) == names


def test_no_licence_that_is_allowed_asks_for_our_own_sources() -> None:
    assert [name for name in ALLOWED if name.startswith(("GPL", "AGPL", "SSPL", "BUSL"))] == []
