"""The type of the objects that one cache holds."""

from typing import TYPE_CHECKING

from controller.runtime.manifest import AnyObject, Manifest

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", bound=AnyObject, default=Manifest)
else:
    from typing import TypeVar

    T = TypeVar("T")
"""A Manifest unless an informer says otherwise, or a Struct of `controller.runtime.objects`."""
