"""The page's files, read once, and what browsers are told about them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

#: No script or style but the page's own files, nothing from anywhere else, no frames, no strings run as scripts.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
"""Of every answer."""

_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served. `tag` changes with its content."""

    content: bytes
    content_type: str
    tag: str


def assets() -> Mapping[str, Asset]:
    """Every file of the page by its path below /, `index.html` as the empty one."""
    found = dict(_below(files("controller.ui").joinpath("static"), ""))
    return MappingProxyType({"": found.pop("index.html"), **found})


def _below(folder: Traversable, path: str) -> "list[tuple[str, Asset]]":
    found = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            found += _below(entry, f"{path}{entry.name}/")
        else:
            found.append((f"{path}{entry.name}", _asset(entry)))
    return found


def _asset(file: Traversable) -> Asset:
    """Raises ValueError for a file of a type that is not served."""
    suffix = f".{file.name.rpartition('.')[2]}"
    if suffix not in _TYPES:
        raise ValueError(f"{file.name}: files of type {suffix} are not served; use {', '.join(_TYPES)}")
    content = file.read_bytes()
    return Asset(content, _TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
