import io

import pytest

from controller.cli.box_table import TIED, box_table, print_box_table


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


def cells(table: str) -> list[list[str]]:
    """The lines of each column's cells, without the heading."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if line[0] == "│"]
    return [[part for part in column if part] for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("name", "width", "want"),
    [
        pytest.param("team-assist/assistant", 25, ["team-assist/assistant"], id="whole"),
        pytest.param("team-assist/assistant", 24, ["team-assist/", "assistant"], id="after the slash"),
        pytest.param(
            "meta-llama/Llama-3.1-8B-Instruct", 26, ["meta-llama/", "Llama-3.1-8B-Instruct"], id="no dash yet"
        ),
        pytest.param(
            "meta-llama/Llama-3.1-8B-Instruct", 18, ["meta-llama/", "Llama-3.1-8B-", "Instruct"], id="after the dash"
        ),
        pytest.param("meta-llama/Llama", 10, ["meta-", "llama/", "Llama"], id="as narrow as its pieces"),
        pytest.param("one two-three", 13, ["one", "two-three"], id="between words first"),
        pytest.param("abcdefgh-i", 9, ["abcde", "fgh-i"], id="anywhere at last"),
    ],
)
def test_names_go_on_after_a_slash_then_after_a_dash(name: str, width: int, want: list[str]) -> None:
    assert cells(box_table(("A",), [(name,)], width)) == [want]


def test_short_names_and_tied_words_stay_whole_while_longer_names_can_go_on() -> None:
    table = box_table(("A", "B", "C"), [("SPX/NPS1", "a-long-name-that-goes-on", "4 x 12 MiB".replace(" ", TIED))], 40)
    mode, name, need = cells(table)
    assert (mode, need) == (["SPX/NPS1"], ["4 x 12 MiB"])
    assert len(name) > 1
    assert TIED not in table


def test_a_table_may_be_empty() -> None:
    assert box_table(("A",), []).count("\n") == 3
    assert box_table(("A",), [], 3) == box_table(("A",), [])


def test_a_terminal_of_plain_characters_gets_those(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    print_box_table(("A",), [("1",)])
    assert written.getvalue().decode() == "+---+\n| A |\n+---+\n| 1 |\n+---+\n"
