"""All pictures."""

from collections.abc import Callable
from typing import Final

from handbook.drawings.modes import modes
from handbook.drawings.phases import phases
from handbook.drawings.placing import placing
from handbook.drawings.pod_flow import pod_flow
from handbook.drawings.processes import processes
from handbook.drawings.rooms import rooms
from handbook.drawings.seats import seats
from handbook.drawings.svg import Picture

PICTURES: Final[tuple[Callable[[], Picture], ...]] = (modes, phases, placing, pod_flow, processes, rooms, seats)
