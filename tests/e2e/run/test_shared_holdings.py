from e2e.run.shared_holdings import SharedHoldings
from e2e.run.world import Object


def holder(name: str, *things: str) -> Object:
    return {"metadata": {"namespace": "a", "name": name}, "things": things}


def names(found: list[Object]) -> list[str]:
    return [each["metadata"]["name"] for each in found]


def test_only_those_that_share_something_are_told_of() -> None:
    holdings = SharedHoldings(lambda each: each["things"])
    holdings.take(None, holder("one", "x", "y"))
    assert names(holdings.take(None, holder("two", "z"))) == ["two"]
    assert names(holdings.take(None, holder("three", "y", "z"))) == ["one", "three", "two"]


def test_what_was_given_up_is_shared_no_more() -> None:
    holdings = SharedHoldings(lambda each: each["things"])
    first, moved = holder("one", "x"), holder("one", "y")
    holdings.take(None, first)
    assert names(holdings.take(first, moved)) == ["one"]
    assert names(holdings.take(None, holder("two", "x"))) == ["two"]
    assert holdings.take(moved, None) == []
    assert names(holdings.take(None, holder("three", "y"))) == ["three"]
