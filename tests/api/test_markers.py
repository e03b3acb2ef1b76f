"""Messages of rules are CEL texts: what would end one too early is refused where it is written."""

import pytest

from api.markers import with_value


def test_a_message_starts_with_the_value() -> None:
    assert with_value("is wrong: write 1") == """'"' + self + '" is wrong: write 1'"""


@pytest.mark.parametrize("text", ["it's wrong", "a\\b"])
def test_a_message_that_would_need_escaping_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without"):
        with_value(text)
