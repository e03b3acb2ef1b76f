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


def test_a_table_may_be_empty() -> None:
    assert box_table(("A",), []).count("\n") == 3


def test_a_terminal_of_plain_characters_gets_those(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    print_box_table(("A",), [("1",)])
    assert written.getvalue().decode() == "+---+\n| A |\n+---+\n| 1 |\n+---+\n"
