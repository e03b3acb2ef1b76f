"""The rule that fields stay as written names every one that did not."""

from api.unchanged import unchanged

RULE = unchanged("make another", required=("node",), optional=("reason",))


def test_a_required_field_is_compared_and_an_optional_one_looked_for_first() -> None:
    assert "(self.node != oldSelf.node) ? 'node' : ''" in RULE.rule
    assert "(has(self.reason) != has(oldSelf.reason) || has(self.reason) && self.reason != oldSelf.reason)" in RULE.rule


def test_the_message_ends_with_the_remedy() -> None:
    assert RULE.message.endswith(": make another")
    assert "'%s cannot be changed: make another'" in (RULE.message_expression or "")
