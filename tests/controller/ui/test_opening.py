"""That a browser finds the map, and nobody else on the machine its token."""

import stat
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from controller.ui.opening import leading_to, show

URL = "http://127.0.0.1:8080/#token=abc-_&x"


def test_the_file_leads_there_and_what_is_opened_does_not_say_the_token() -> None:
    with leading_to(URL) as opened:
        page = Path(unquote(urlsplit(opened).path))
        assert "abc-_" not in opened
        assert 'url=http://127.0.0.1:8080/#token=abc-_&amp;x"' in page.read_text()


@pytest.mark.parametrize(("comes", "told"), [(True, None), (False, "no browser was found: open the URL in one")])
def test_a_browser_is_given_the_file(monkeypatch: pytest.MonkeyPatch, comes: bool, told: str | None) -> None:
    given: list[str] = []

    def opens(url: str) -> bool:
        given.append(url)
        return comes

    monkeypatch.setattr("webbrowser.open", opens)
    with ExitStack() as files:
        assert show(URL, files) == told
        (page,) = (Path(unquote(urlsplit(each).path)) for each in given)
        assert page.exists()
    assert "abc-_" not in given[0]
    assert not page.exists()


def test_where_no_file_can_be_written_the_url_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with ExitStack() as files:
        assert show(URL, files) == (
            "no page for a browser can be written (No such file or directory): open the URL in one"
        )


def test_nobody_else_can_read_it_and_it_goes_with_the_command() -> None:
    with leading_to(URL) as opened:
        page = Path(unquote(urlsplit(opened).path))
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (page, page.parent)]
    assert modes == [0o600, 0o700]
    assert not page.parent.exists()
