"""What became of each model on a list: its profiles, or the reason why there are none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.profiles.aim_profile import MOST_DEVICES, AIMProfile
from controller.profiles.checkpoints import Weights
from controller.profiles.generator import AIMProfileGenerator, served_by_id
from controller.profiles.lists import Listed, Wanted
from controller.sizing.catalog import Catalog
from controller.sizing.engine_support import obstacles
from controller.sizing.errors import UnknownFacts, UnknownModel
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.requirement import SizingRequest

FORMAT: Final = "aim-build 0.9"


class Reason(StrEnum):
    """Why there are no profiles."""

    FITS_NOWHERE = "fits-nowhere"
    NO_SUCH_MODEL = "no-such-model"
    FACTS_UNKNOWN = "facts-unknown"


@dataclass(frozen=True, slots=True)
class Refused:
    """No profiles: a reason, and a sentence."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Emitted:
    """Profiles, and where weights in that precision come from."""

    profiles: tuple[AIMProfile, ...]
    weights: Weights

    @property
    def ready(self) -> bool:
        """Whether they start as written, without a copy that somebody must name first."""
        return self.weights is not Weights.NEEDS_COPY


@dataclass(frozen=True, slots=True)
class Row:
    """One model in one precision, which is resolved unless nothing is known of the model."""

    listed: Listed
    precision: Precision
    outcome: Emitted | Refused

    @property
    def status(self) -> str:
        """``emitted``, or the reason of a refusal."""
        return self.outcome.reason.value if isinstance(self.outcome, Refused) else "emitted"

    def document(self) -> dict[str, Any]:
        """The row as the index has it."""
        named = {"name": self.listed.name, "model_id": self.listed.id, "precision": self.precision.value}
        if isinstance(self.outcome, Refused):
            reason = {"reason": self.outcome.reason.value, "message": self.outcome.message}
            return named | {"status": "refused"} | reason
        emitted = named | {"status": "emitted", "ready": self.outcome.ready, "weights": self.outcome.weights.value}
        if not self.outcome.ready:
            emitted["message"] = (
                f"no copy in {self.precision} is known that AIM, the model's publisher or RedHatAI vouches for: add "
                "aim_id and model_id, the id of one, to a file before use"
            )
        return emitted | {"files": [profile.path for profile in self.outcome.profiles]}


class Indexer:
    """Makes the rows of lists."""

    def __init__(self, catalog: Catalog, generator: AIMProfileGenerator) -> None:
        self._catalog = catalog
        self._generator = generator

    def row(self, wanted: Wanted) -> Row:
        """The row of one model. Raises UnsupportedPrecision for a model that has not got that precision."""
        listed, precision = wanted.listed, wanted.precision
        if listed.id is None:
            message = listed.note or "no model of that name was found"
            return Row(listed, precision, Refused(Reason.NO_SUCH_MODEL, message))
        try:
            facts = self._catalog.get(listed.id)
        except (UnknownFacts, UnknownModel) as error:
            return Row(listed, precision, Refused(Reason.FACTS_UNKNOWN, str(error)))
        resolved = resolve_precision(facts, precision)
        return Row(listed, resolved, self._outcome(facts, resolved))

    def _outcome(self, facts: ModelFacts, precision: Precision) -> Emitted | Refused:
        served = served_by_id(facts, SizingRequest(facts.model_id, precision))
        profiles = self._generator.generate(served)
        if not profiles:
            message = obstacles(self._generator.products, precision)
            message = message or f"no {MOST_DEVICES} partitions or GPUs of one product hold it"
            return Refused(Reason.FITS_NOWHERE, message)
        return Emitted(profiles, served.weights)


def document(lists: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """The index of several lists, each under its name, with the counts of what became of their rows."""
    return {
        "format": FORMAT,
        "counts": {name: counts(rows) for name, rows in lists.items()},
        **{name: [row.document() for row in rows] for name, rows in lists.items()},
    }


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows there are, were emitted, and were refused for each reason.

    ``ready`` and ``needs-copy`` are the emitted ones that start as written, and those for which a copy must be named.
    """
    found = Counter(row.status for row in rows)
    ready = sum(isinstance(row.outcome, Emitted) and row.outcome.ready for row in rows)
    emitted = {"emitted": found["emitted"], "ready": ready, "needs-copy": found["emitted"] - ready}
    return {"total": len(rows), **emitted, **{each.value: found[each.value] for each in Reason}}
