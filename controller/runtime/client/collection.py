"""Which objects of a resource are meant, and how a list of them comes back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic

from controller.runtime.manifest import Manifest

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Manifest)
else:
    from typing import TypeVar

    T = TypeVar("T")
"""What objects are decoded into: dict unless a read says otherwise."""

DICT: Final[Any] = dict
"""The default of `into`: `dict`, whatever the type checker makes of T."""


@dataclass(frozen=True, slots=True)
class ObjectList(Generic[T]):
    """A whole collection at `resource_version`. The items carry apiVersion and kind."""

    items: list[T]
    resource_version: str


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """A part of a collection; `continue_token` is None on the last page."""

    items: list[T]
    resource_version: str
    continue_token: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource: `namespace` None is all; selectors in Kubernetes' own syntax, None is any."""

    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None

    def params(self) -> dict[str, str]:
        """The selectors as query parameters."""
        named = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in named.items() if value}
