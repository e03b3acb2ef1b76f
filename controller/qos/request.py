"""One request as the dispatcher sees it: what it asks for, where it stands, and what the dispatcher keeps about it.

NEW ── arrive ──> QUEUED ──> IN_FLIGHT ── complete ──> DONE
 │                  │  <── give_back ─┘ │               ^
 └──── refused ─────┴─── cancelled ─────┴───────────────┘
"""

from typing import TYPE_CHECKING, Final

from controller.qos.settings import Member

if TYPE_CHECKING:
    from controller.qos.fair_queue import Flow
    from controller.qos.place import Entry, Place

# Plain numbers: the data path compares them for each request, and a member of an Enum costs a lookup each time.
NEW: Final = 0
QUEUED: Final = 1
IN_FLIGHT: Final = 2
DONE: Final = 3


class Request:
    """A request. The data path makes one and hands it to `QoSManager.arrive` once; it may derive from it.

    `model`: the service's key. `tenant`: who asks. `qos_class`: name of the class it is served in. `prompt_tokens`: how
    long the prompt is, or an estimate. `output_limit`: tokens that it lets the engine generate at most; None: unknown.
    `arrived`, `deadline`: seconds by the clock of `now`; the deadline is for the first byte of the answer, None: none.
    `payload`: the data path's own, untouched.

    For reading only. `state`: NEW, QUEUED, IN_FLIGHT or DONE. `member`: the pod that it was dispatched to; None before.
    `dispatched`: when that was; not set before.

    The rest is the dispatcher's own. `ticket`: of its place in a queue, 0 in none; what a queue holds under another one
    is a place that it has left. `cost`: tokens that its flow and its entry were charged; `flow` is None when they were
    not, because nobody else wanted the seat.
    """

    __slots__ = (
        "arrived",
        "avoid",
        "cost",
        "deadline",
        "dispatched",
        "entry",
        "flow",
        "member",
        "model",
        "output_limit",
        "payload",
        "place",
        "prompt_tokens",
        "qos_class",
        "state",
        "tenant",
        "ticket",
    )
    dispatched: float
    place: "Place"
    entry: "Entry | None"
    ticket: int
    cost: float
    avoid: frozenset[str]

    def __init__(
        self,
        model: str,
        tenant: str,
        qos_class: str,
        prompt_tokens: int,
        output_limit: int | None,
        arrived: float,
        deadline: float | None = None,
        payload: object = None,
    ) -> None:
        self.model = model
        self.tenant = tenant
        self.qos_class = qos_class
        self.prompt_tokens = prompt_tokens
        self.output_limit = output_limit
        self.arrived = arrived
        self.deadline = deadline
        self.payload = payload
        self.state = NEW
        self.member: Member | None = None
        self.flow: Flow | None = None
