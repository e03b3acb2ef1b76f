"""Opens the map in a browser. What a browser is given on its command line anybody on the machine can read (ps): so it
is a file that leads there, which nobody else can.
"""

import html
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}">
<title>GPU map</title>
<p><a href="{url}">The map</a></p>
"""


def show(url: str, files: ExitStack) -> str | None:
    """Open it; the file stays until `files` is closed. What to tell where no browser came, None where one did."""
    try:
        page = files.enter_context(leading_to(url))
    except OSError as error:
        return f"no page for a browser can be written ({error.strerror or error}): open the URL in one"
    return None if webbrowser.open(page) else "no browser was found: open the URL in one"


@contextmanager
def leading_to(url: str) -> Iterator[str]:
    """The file's own URL, while the context lasts. Only this account can read it, and enter the folder it is in.

    Raises OSError where no file can be made.
    """
    with TemporaryDirectory(prefix="aim-gpu-ui-") as folder:
        page = Path(folder) / "map.html"
        page.touch(mode=0o600)
        page.write_text(_PAGE.format(url=html.escape(url)))
        yield page.as_uri()
