import pytest

from controller.gateway.shards.shard_lease import UNKNOWN, decode


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param('{"a": {"pod": 2}, "lost": null}', {"a": {"pod": 2}, "lost": None}, id="what we write"),
        pytest.param("{}", {}, id="nothing in flight"),
        pytest.param(None, UNKNOWN, id="nobody wrote anything"),
        pytest.param("", UNKNOWN, id="empty"),
        pytest.param("[]", UNKNOWN, id="no object"),
        pytest.param('{"a": 2}', UNKNOWN, id="no counts"),
        pytest.param('{"a": {"pod": -1}}', UNKNOWN, id="fewer than none"),
        pytest.param('{"a": {"pod": true}}', UNKNOWN, id="no number"),
        pytest.param('{"a": {"pod": 1.5}}', UNKNOWN, id="no whole number"),
    ],
)
def test_what_the_annotation_says(text: str | None, want: object) -> None:
    assert decode(text) == want
