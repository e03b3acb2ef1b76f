"""Which licences may be in what we ship, and which ones a distribution says it has."""

from collections.abc import Mapping, Sequence

from license_expression import ExpressionError, Licensing

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib"),
        "MPL-2.0",  # asks for the sources of its own files, which we do not change
    }
)
"""Licences under which others' work may be in our image, as SPDX spells them."""

READ: Mapping[str, str] = {
    # its metadata has the text of the licence where its name belongs
    "amdsmi": "MIT",
    # "3-Clause BSD License" in metadata without a classifier
    "protobuf": "BSD-3-Clause",
    # may be had under either, its metadata name both and not how they belong together
    "uvloop": "MIT OR Apache-2.0",
}
"""What a person read of distributions whose metadata say it in no way that a program can take."""

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
FIELDS = ("License-Expression", "Classifier", "License")
"""The fields of a distribution's metadata that say its licence."""

_LICENSING = Licensing()


def stated(name: str, fields: Mapping[str, Sequence[str]]) -> str:
    """The licence that a distribution says it has, as an expression of SPDX; empty when it says none.

    `fields` are the values of FIELDS. The newest counts first: expression, then classifiers (of more than one all must
    be kept, and one that we do not know makes them worth nothing), then the first line of free text.
    """
    if name in READ:
        return READ[name]
    if expression := fields.get("License-Expression"):
        return expression[0]
    classifiers = [one.split(" :: ")[-1] for one in fields.get("Classifier", ()) if one.startswith("License :: ")]
    if classifiers and all(one in _CLASSIFIERS for one in classifiers):
        return " AND ".join(_CLASSIFIERS[one] for one in classifiers)
    return next(iter(fields.get("License", ())), "").strip().split("\n", maxsplit=1)[0]


def refused(expression: str) -> list[str]:
    """The licences in an expression that keep us from shipping it; nothing when it may be shipped."""
    if not expression:
        return ["no licence"]
    try:
        return _refused(_LICENSING.parse(expression))
    except ExpressionError:
        return [expression]


def _refused(parsed: object) -> list[str]:
    if not isinstance(parsed, (_LICENSING.AND, _LICENSING.OR)):
        return [] if str(parsed) in ALLOWED else [str(parsed)]
    parts: Sequence[list[str]] = [_refused(part) for part in parsed.args]
    if isinstance(parsed, _LICENSING.OR) and not all(parts):
        return []
    return [name for part in parts for name in part]
