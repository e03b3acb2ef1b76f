"""Which collection of the API a request is about, and the paths it is served under."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

# What names are made of; not "." and "..", and nothing that means something else in a URL.
_PLAIN: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource: group ("" for the core group), version, plural (path segment), kind, scope."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """What objects carry as `apiVersion`: "v1" or "group/version"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, or with `name` of one object, or with `subresource` of a part of it.

        A namespaced resource without `namespace` is the collection of all namespaces. Raises ValueError for an
        object or subresource that the given parts cannot name.
        """
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            path = f"{path}/namespaces/{_segment(namespace)}"
        elif namespace:
            raise ValueError(f"namespace {namespace!r}: {self} is cluster-scoped; leave the namespace out")
        elif self.namespaced and name:
            raise ValueError(f"name {name!r}: {self} is namespaced; give the namespace as well")
        path = f"{path}/{self.plural}"
        if name:
            path = f"{path}/{_segment(name)}"
        elif subresource:
            raise ValueError(f"subresource {subresource!r} of {self}: give the object's name as well")
        return f"{path}/{subresource}" if subresource else path


def _segment(text: str) -> str:
    """`text` as one segment of a path, whatever somebody put into it. Raises ValueError for "." and ".."."""
    if _PLAIN.fullmatch(text):
        return text
    if text in {".", ".."}:
        raise ValueError(f"name {text!r}: would name another path; no object has it")
    return quote(text, safe="")
