"""Which ConfigMap has the AIM profiles of a pod that is annotated and of no InferenceService of ours.

Its name follows from what the pod asks for, and from nothing else: the webhook can name it before it is there, without
a look at anything, and pods of a namespace that ask alike share one. A pod's volumes never change, so the volume says
for as long as the pod lives which ConfigMap that was.
"""

import hashlib
import json
import re
from typing import Final

from controller.profiles.selection import Service
from controller.runtime.objects.pod import PodSpec
from controller.translate.request import PodRequest

VOLUME: Final = "aim-profiles"
"""The name of the volume that the webhook adds."""

_PREFIX: Final = "aim-profiles-"
_NAME: Final = re.compile(_PREFIX + "[0-9a-f]{20}")


def serves(request: PodRequest, *, names_model: bool) -> Service:
    """What an annotated pod serves; `names_model`: its container says which checkpoint is loaded."""
    return Service(request.sizing, names_model, request.group is not None, 1)


def pods_map(request: PodRequest, *, names_model: bool) -> str:
    """The name of the ConfigMap for pods that ask for this; replicas of other versions must find the same one."""
    sizing = request.sizing
    asked = [sizing.model_id, sizing.precision.value, sizing.max_model_len, sizing.max_concurrency]
    # whichever group that is: members of all of them are told alike
    shares = ["cooperative"] if request.group is not None else []
    identity = json.dumps([*asked, request.profile, names_model, *shares], separators=(",", ":"))
    return _PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:20]


def is_pods_map(name: str) -> bool:
    """Whether `pods_map` gives such names. No service's ConfigMap has one: theirs end in another word."""
    return _NAME.fullmatch(name) is not None


def served_from(request: PodRequest, name: str | None) -> Service | None:
    """What a pod serves that asks for `request` and mounts the ConfigMap `name`.

    None when that one is not for this request: the pod's annotations were changed since it was made.
    """
    chosen = (flag for flag in (False, True) if pods_map(request, names_model=flag) == name)
    return next((serves(request, names_model=flag) for flag in chosen), None)


def mounted_map(spec: PodSpec) -> str | None:
    """The name of the ConfigMap in the volume for profiles, None without one."""
    return next((each.config_map.name for each in spec.volumes if each.name == VOLUME and each.config_map), None)
