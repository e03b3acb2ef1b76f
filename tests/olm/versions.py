"""A version after the present one, for what upgrades."""

from copy import deepcopy

from olm.catalogue import Bundle
from olm.service_version import name_of


def following(bundle: Bundle, version: str = "0.2.1") -> Bundle:
    """The same bundle as another version."""
    made = deepcopy(bundle)
    made.service_version["metadata"]["name"] = name_of(version)
    made.service_version["spec"]["version"] = version
    return made
