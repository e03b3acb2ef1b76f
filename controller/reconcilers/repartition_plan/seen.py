"""What one look at a plan's phase found: an event, or nothing but a sentence, and what is to stand in the status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.repartition.phases import Event


@dataclass(frozen=True, slots=True)
class Seen:
    """`event` None: nothing to do but wait. `changes` are status fields to record with it.

    `reason` stands in the condition of a plan that ends by it; empty: the phase's name does.
    """

    event: Event | None
    message: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
