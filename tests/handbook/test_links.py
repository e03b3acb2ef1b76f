import pytest

from handbook.links import BrokenLink, Relinking, fences

THERE = {
    "README.md": "blob",
    "docs/qos.md": "blob",
    "docs/runbooks/README.md": "blob",
    "examples": "tree",
    "docs/images/a.png": "blob",
    "CONTRIBUTING.md": "blob",
    "examples/x.yaml": "blob",
    "docs/runbooks": "tree",
}
RELINKING = Relinking({"CONTRIBUTING.md": "contributing.md"}, "https://example.com/us", THERE.get)


@pytest.mark.parametrize(
    ("link", "source", "shown", "want"),
    [
        pytest.param("qos.md#who", "docs/concepts.md", "concepts.md", "qos.md#who", id="a page beside it stays"),
        pytest.param("../qos.md", "docs/runbooks/README.md", "runbooks/README.md", "../qos.md", id="one above stays"),
        pytest.param(
            "../CONTRIBUTING.md#set-up",
            "docs/qos.md",
            "qos.md",
            "contributing.md#set-up",
            id="a page from elsewhere is one of the site",
        ),
        pytest.param("docs/qos.md", "CONTRIBUTING.md", "contributing.md", "qos.md", id="and its links lead to pages"),
        pytest.param(
            "../examples/x.yaml",
            "docs/qos.md",
            "qos.md",
            "https://example.com/us/blob/main/examples/x.yaml",
            id="what is no page is shown where the source is",
        ),
        pytest.param(
            "../examples", "docs/qos.md", "qos.md", "https://example.com/us/tree/main/examples", id="a folder, too"
        ),
        pytest.param(
            "runbooks", "docs/qos.md", "qos.md", "https://example.com/us/tree/main/docs/runbooks", id="also one of docs"
        ),
        pytest.param("#part", "docs/qos.md", "qos.md", "#part", id="a part of the page itself"),
        pytest.param(
            "https://a.example/b.md", "docs/qos.md", "qos.md", "https://a.example/b.md", id="somebody else's page"
        ),
        pytest.param("images/a.png", "docs/qos.md", "qos.md", "images/a.png", id="a picture"),
    ],
)
def test_a_link_leads_on_the_site_where_it_leads_in_the_repository(
    link: str, source: str, shown: str, want: str
) -> None:
    assert RELINKING.target(link, source, shown) == want


def test_a_link_to_nothing_names_page_and_target() -> None:
    with pytest.raises(BrokenLink, match=r"docs/qos.md: link to \.\./gone.py: nothing is at gone.py"):
        RELINKING.target("../gone.py", "docs/qos.md", "qos.md")


def test_of_a_page_every_link_and_no_code_is_turned() -> None:
    text = (
        "[a [b]](../examples) and ![p](images/a.png), `[c](../examples)`\n```\n[d](../examples)\n```\n[e](../examples)"
    )
    turned = RELINKING.relinked(text, "docs/qos.md", "qos.md").split("\n")
    address = "https://example.com/us/tree/main/examples"
    assert turned[0] == f"[a [b]]({address}) and ![p](images/a.png), `[c](../examples)`"
    assert turned[2] == "[d](../examples)"
    assert turned[4] == f"[e]({address})"


def test_a_link_whose_words_go_on_in_the_next_line_is_turned() -> None:
    assert RELINKING.relinked("[a\nb](../examples)", "docs/qos.md", "qos.md").endswith(
        "](https://example.com/us/tree/main/examples)"
    )


def test_lines_of_code_are_told_from_text() -> None:
    told = [fenced for _, fenced in fences(["a", "  ```sh", "b", "  ```", "c", "````", "```", "````", "d"])]
    assert told == [False, True, True, True, False, True, True, True, False]
