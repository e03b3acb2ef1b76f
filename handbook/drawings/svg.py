"""A picture of boxes, arrows and words: as much of SVG as the pictures need. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

#: Colours by name: fill, border and ink in light, then in dark. Each ink stands on its fill at 7:1 or better.
PALETTE: Final[dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]]] = {
    "page": (("#ffffff", "#ffffff", "#1b1f24"), ("#14181d", "#14181d", "#eef1f4")),
    "plain": (("#f1f3f5", "#868e96", "#1b1f24"), ("#262c33", "#7b8794", "#eef1f4")),
    "blue": (("#dbe9fb", "#2f6fbf", "#0b2a4f"), ("#12355c", "#6aa7ee", "#e6f1ff")),
    "green": (("#d9f0dd", "#2f8a44", "#0c3316"), ("#123d1f", "#66c27d", "#e4f7e8")),
    "amber": (("#fcebc8", "#b07908", "#402b00"), ("#4a3405", "#e0ac3f", "#fff3d9")),
    "red": (("#fbdcd9", "#c0392b", "#4d120c"), ("#551c16", "#ee8277", "#ffe9e6")),
    "violet": (("#e8dff7", "#7048b5", "#2a1551"), ("#33215a", "#ad8ae6", "#f1e9ff")),
}
GLYPH: Final = 0.56
"""Width of a glyph of the system's sans serif, as a part of its size: a little more than text takes on the average."""
SIZE: Final = 13.0


@dataclass(frozen=True, slots=True)
class Word:
    """A line of text as it was put: for a test that looks whether it has room."""

    text: str
    size: float
    room: float
    """Width that it has, pixels."""
    colour: str

    @property
    def width(self) -> float:
        """What it takes, pixels."""
        return len(self.text) * self.size * GLYPH


@dataclass
class Picture:
    """A picture of `width` x `height` pixels, drawn piece by piece. `title` and `told`: for who does not see it."""

    name: str
    width: int
    height: int
    title: str
    told: str
    words: list[Word] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        lines: Sequence[str] = (),
        colour: str = "plain",
        *,
        top: bool = False,
    ) -> None:
        """A box with centred lines, the first of them bold. `top`: at its upper edge, for a box with boxes in it."""
        self._pieces.append(f'<rect class="b {colour}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6"/>')
        step = SIZE * 1.35
        begin = y + step if top else y + h / 2 - step * (len(lines) - 1) / 2 + SIZE * 0.36
        for number, line in enumerate(lines):
            bold = number == 0
            self.text(x + w / 2, begin + number * step, line, colour=colour, room=w - 8, bold=bold, middle=True)

    def text(
        self,
        x: float,
        y: float,
        line: str,
        *,
        colour: str = "page",
        size: float = SIZE,
        room: float | None = None,
        bold: bool = False,
        middle: bool = False,
    ) -> None:
        """A line of text from `x` on (or around it), its foot at `y`."""
        size = size if bold or size != SIZE else SIZE - 1
        self.words.append(Word(line, size, self.width - x if room is None else room, colour))
        kinds = " ".join(["t", colour, *(["h"] if bold else []), *(["m"] if middle else [])])
        self._pieces.append(f'<text class="{kinds}" x="{x:g}" y="{y:g}" font-size="{size:g}">{escape(line)}</text>')

    def arrow(self, *points: tuple[float, float], says: str = "", at: tuple[float, float] | None = None) -> None:
        """A line through points with a head at its end; `says` stands at `at`, else above its middle."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._pieces.append(f'<polyline class="l" points="{path}" marker-end="url(#head)"/>')
        if says:
            (ax, ay), (bx, by) = points[0], points[-1]
            x, y = at or ((ax + bx) / 2, (ay + by) / 2 - 6)
            self.text(x, y, says, size=11, middle=True, room=260)

    def svg(self) -> str:
        """The picture as a file."""
        body = "\n".join(self._pieces)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-labelledby="title told">\n'
            f'<title id="title">{escape(self.title)}</title>\n<desc id="told">{escape(self.told)}</desc>\n'
            f"<style>\n{_styles()}\n</style>\n"
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path class="a" d="M0,0 L10,5 L0,10 z"/></marker></defs>\n'
            f'<rect class="page" width="{self.width}" height="{self.height}"/>\n{body}\n</svg>\n'
        )


def _styles() -> str:
    light = "\n".join(_rules(name, shades[0]) for name, shades in PALETTE.items())
    dark = "\n".join(_rules(name, shades[1]) for name, shades in PALETTE.items())
    lines = ".l{fill:none;stroke:#57606a;stroke-width:1.5}.a{fill:#57606a}"
    dark_lines = ".l{stroke:#aab4bf}.a{fill:#aab4bf}"
    text = "text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif}.h{font-weight:600}.m{text-anchor:middle}"
    return f"{text}\n{light}\n{lines}\n@media (prefers-color-scheme:dark){{\n{dark}\n{dark_lines}\n}}"


def _rules(name: str, shades: tuple[str, str, str]) -> str:
    fill, border, ink = shades
    return f"rect.{name}{{fill:{fill};stroke:{border}}}text.{name}{{fill:{ink}}}"
