"""What objects and namespaces can be called."""

import re
from typing import Final

_DNS_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63


def is_object_name(text: str) -> bool:
    """Whether the text can be the name of most objects: a DNS subdomain of 253 characters at most."""
    return len(text) <= _LONGEST_NAME and _DNS_NAME.fullmatch(text) is not None


def is_namespace_name(text: str) -> bool:
    """Whether the text can be the name of a namespace: a DNS label of 63 characters at most."""
    return len(text) <= _LONGEST_LABEL and _DNS_LABEL.fullmatch(text) is not None
