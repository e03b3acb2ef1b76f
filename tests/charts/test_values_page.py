"""The README's table of values is what values.yaml says, whole."""

import yaml

from e2e.chart import CHART
from e2e.chart.values_page import filled, rows, table, texts

SOURCE = """\
# Not of a value.

image:
  # -- Where it comes from,
  # and goes to.
  repository: here
  tag: ""
# -- Free labels.
labels:
  a: b
agent:
  rocm:
    # -- Its folder.
    path: /opt
"""


def test_the_page_is_written_from_the_values() -> None:
    page = (CHART / "README.md").read_text()

    assert page == filled(page), "run make generate"


def test_comments_belong_to_the_key_after_them() -> None:
    assert texts(SOURCE) == {
        "image.repository": "Where it comes from, and goes to.",
        "labels": "Free labels.",
        "agent.rocm.path": "Its folder.",
    }


def test_every_value_has_its_row_and_what_is_told_as_one_is_one() -> None:
    values = {"image": {"repository": "here", "tag": ""}, "labels": {"a": "b"}, "agent": {"rocm": {"path": "/opt"}}}

    assert [path for path, _, _ in rows(values, texts(SOURCE))] == [
        "image.repository",
        "image.tag",
        "labels",
        "agent.rocm.path",
    ]
    assert '| `labels` | `{"a": "b"}` | Free labels. |' in table(SOURCE)


def test_no_value_is_without_words() -> None:
    told = texts((CHART / "values.yaml").read_text())

    assert [path for path, _, said in rows(yaml.safe_load((CHART / "values.yaml").read_text()), told) if not said] == []
