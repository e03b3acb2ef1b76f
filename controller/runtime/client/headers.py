"""Who a request is from, and whom it acts as, in header fields."""

import re
from typing import Final

from controller.runtime.client.configuration import ConfigurationError, Impersonation

Field = tuple[str, str]

# What a header's name may hold (RFC 9110), less the percent sign, which begins an escape.
_PLAIN: Final = frozenset(b"!#$&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def bearer_field(token: str) -> Field:
    """The header that carries `token`. Raises ConfigurationError for one that would end its line."""
    return _checked("Authorization", f"Bearer {token}")


def impersonation_fields(impersonation: Impersonation | None) -> list[Field]:
    """The headers that ask to act as somebody; keys of extra values are escaped, as they become header names.

    Raises ConfigurationError for values with control characters.
    """
    if impersonation is None:
        return []
    fields = [("Impersonate-User", impersonation.user)]
    if impersonation.uid:
        fields.append(("Impersonate-Uid", impersonation.uid))
    fields += [("Impersonate-Group", group) for group in impersonation.groups]
    for key, values in impersonation.extra.items():
        fields += [(f"Impersonate-Extra-{_escaped(key)}", value) for value in values]
    return [_checked(name, value) for name, value in fields]


def _checked(name: str, value: str) -> Field:
    if _CONTROL.search(value):  # the value itself may be a secret
        raise ConfigurationError(f"header {name}: a value with a line end or control character; correct its source")
    return name, value


def _escaped(key: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in key.encode())
