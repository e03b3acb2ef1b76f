"""Answers what people ask beside the map: which models and namespaces there are, and what would become of a model."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeAlias

import orjson

from controller.cli.live_cluster import Live
from controller.runtime.manifest import Manifest
from controller.sizing.catalog import Catalog
from controller.ui.viewer import Viewer, unnamed
from controller.ui.what_if import BadQuestion, Question, answer

Work: TypeAlias = Callable[[], bytes]

_ANSWER: Final = b"+"
_REFUSED: Final = b"-"


async def at_once(work: Work) -> bytes:
    """Do it here, while nothing else is done: for a server of one person."""
    return work()


class Planner:
    """Plans on `live`. `around` gives it with what only questions need, read for each of them.

    `where` does the work; what it is given reads the tables of `live` as they are when it begins.
    """

    def __init__(
        self, live: Live, around: Callable[[], Awaitable[Live]], where: Callable[[Work], Awaitable[bytes]] = at_once
    ) -> None:
        self._live, self._around, self._where = live, around, where

    def namespaces(self) -> Collection[str]:
        """Every namespace of the cluster."""
        return [name for name, _ in self._live.cluster.namespace_labels.items()]

    def choices(self, viewer: Viewer) -> dict[str, Any]:
        """The models that can be sized, of catalogue and ModelProfiles, the namespaces that the viewer sees, and the
        modes that GPUs of the nodes they see can be in.
        """
        profiles = self._live.cluster.model_profiles.store.snapshot().values() if viewer.profiles else ()
        own = map(_model_of, profiles)
        namespaces = sorted(name for name in self.namespaces() if viewer.sees(name))
        nodes = self._live.cluster.snapshot().nodes if viewer.nodes else ()
        modes = {str(mode) for node in nodes for gpu in node.gpus for mode in gpu.allowed}
        models = {*filter(None, own), *Catalog.bundled().known_ids()}
        return {"models": sorted(models), "namespaces": namespaces, "modes": sorted(modes)}

    async def what_if(self, question: Question, viewer: Viewer) -> bytes:
        """What would become of it, as JSON. Raises BadQuestion, the client's errors, and what `where` raises."""
        live = await self._around()
        told = await self._where(lambda: _told(live, question, viewer))
        if told[:1] == _REFUSED:
            raise BadQuestion(told[1:].decode())
        return told[1:]


def _told(live: Live, question: Question, viewer: Viewer) -> bytes:
    """The answer, or the text of the refusal, as bytes, which pass through a pipe."""
    try:
        found = answer(live, question, viewer)
    except BadQuestion as error:
        return _REFUSED + str(error).encode()
    if viewer.namespaces is not None:
        found = unnamed(found, viewer, lambda name: live.cluster.namespace_labels.get(name) is not None)
    return _ANSWER + orjson.dumps(found)


def _model_of(profile: Manifest) -> str:
    return str((profile.get("spec") or {}).get("modelId") or "")
