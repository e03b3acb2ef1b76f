import pytest

from handbook.columns import in_fours

ROWS = [
    pytest.param("- a\n\n  ```sh\n  b\n  ```\n- c", "- a\n\n    ```sh\n    b\n    ```\n- c", id="code of a bullet"),
    pytest.param("1. a\n   b\n2. c", "1. a\n    b\n2. c", id="a second line of a number"),
    pytest.param("- a\n  1. b\n     c\n- d", "- a\n    1. b\n        c\n- d", id="a list in a list"),
    pytest.param("- a\n\nb\n  c", "- a\n\nb\n  c", id="text after a list"),
    pytest.param("```\n- a\n  b\n```", "```\n- a\n  b\n```", id="code that looks like a list"),
    pytest.param("<!-- table -->\n| a |", "\n| a |", id="a comment before a table"),
    pytest.param("- a <!-- b -->", "- a <!-- b -->", id="a comment in a line"),
    pytest.param("10. a\n\n    b", "10. a\n\n    b", id="four already"),
]


@pytest.mark.parametrize(("text", "want"), ROWS)
def test_what_belongs_to_an_item_stands_four_in(text: str, want: str) -> None:
    assert in_fours(text) == want
