import io

import pytest

from controller.cli.box_table import box_table, print_box_table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert box_table(("A", "LONGER"), [("1", "2"), ("three", "4")]).splitlines() == [
        "┏━━━━━━━┳━━━━━━━━┓",
        "┃ A     ┃ LONGER ┃",
        "┡━━━━━━━╇━━━━━━━━┩",
        "│ 1     │ 2      │",
        "│ three │ 4      │",
        "└───────┴────────┘",
    ]


@pytest.mark.parametrize(
    ("width", "want"),
    [
        pytest.param(26, ["┃ HEAVY HEAD ┃ B         ┃", "│ x          │ two words │"], id="as it is"),
        pytest.param(21, ["┃ HEAVY ┃ B         ┃", "┃ HEAD  ┃           ┃", "│ x     │ two words │"], id="a heading goes on"),
        pytest.param(17, ["┃ HEAVY ┃ B     ┃", "│ x     │ two   │", "│       │ words │"], id="cells go on between words"),
        pytest.param(15, ["┃ HEAV ┃ B    ┃", "│ x    │ two  │", "│      │ word │", "│      │ s    │"], id="words are broken"),
        pytest.param(5, ["│ x    │ two  │"], id="no column is narrower than four characters"),
    ],
)  # fmt: skip
def test_what_is_too_wide_goes_on_below(width: int, want: list[str]) -> None:
    lines = box_table(("HEAVY HEAD", "B"), [("x", "two words")], width).splitlines()
    assert [line for line in lines if line in want] == want
    assert max(map(len, lines)) <= max(width, 15)


def test_a_table_may_be_empty() -> None:
    assert box_table(("A",), []).count("\n") == 3
    assert box_table(("A",), [], 3) == box_table(("A",), [])


def test_a_terminal_of_plain_characters_gets_those(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    print_box_table(("A",), [("1",)])
    assert written.getvalue().decode() == "+---+\n| A |\n+---+\n| 1 |\n+---+\n"
