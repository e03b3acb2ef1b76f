"""Requests of one model and class that wait: tenants take turns by weight, a tenant's own by deadline.

Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996): a flow's next request starts at the later of the
queue's virtual time and the flow's last finish, and finishes its cost, divided by the weight, after that; who starts
first is next, and the virtual time is where that one starts. So a flow that comes back has no credit for its absence,
and what any two flows that wait were served differs by at most one request of each, however many others there are.

A request leaves its places lazily: they hold it under the ticket that it had, and are skipped when it has another one.
"""

from bisect import bisect_right, insort
from collections import deque
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Final

from controller.qos.request import Request

# (when it has to be served, ticket, request): in this order within a flow. Tickets differ, so requests never compare.
Item = tuple[float, int, Request]

# Places are cleared of requests that left when more than half of them did; below so many that is not worth the while.
_FEW: Final = 64


class Flow:
    """What one tenant waits for. `finish`, `adjust`: its last finish, and what to add since costs are known better."""

    __slots__ = ("adjust", "finish", "items", "listed", "number", "per_cost", "tenant", "waiting")

    def __init__(self, tenant: str, number: int, weight: int, finish: float) -> None:
        self.tenant, self.number, self.finish = tenant, number, finish
        self.per_cost = 1.0 / weight
        self.items: deque[Item] = deque()
        self.waiting = 0
        self.adjust = 0.0
        self.listed = False


class RequestQueue:
    """The queue of one model and class.

    `count` requests wait, `returned` of them were sent once already and come before all flows. Pushing and taking cost
    O(log flows); a deadline before another one's in its flow O(log n) comparisons and the move of what is behind it.
    """

    __slots__ = (
        "_compact_at",
        "_heap",
        "_left",
        "_numbers",
        "_order",
        "_virtual",
        "count",
        "flows",
        "longest",
        "returned",
    )

    def __init__(self) -> None:
        self.count = 0
        self.flows: dict[str, Flow] = {}
        self.returned: list[Request] = []
        self._heap: list[tuple[float, int, Flow]] = []
        self._order: deque[Item] = deque()
        self._virtual = 0.0
        self._numbers = count()
        self._compact_at = _FEW
        self._left = 0
        self.longest = Flow("", next(self._numbers), 1, 0.0)

    def push(self, request: Request, due: float, ticket: int, weight: int) -> None:
        """One more waits; `due`: when it has to be served. `weight`: its tenant's. Its `cost` is set."""
        flow = self.flows.get(request.tenant)
        if flow is None:
            flow = self._new_flow(request.tenant, weight)
        request.ticket = ticket
        item = (due, ticket, request)
        items = flow.items
        if items and due < items[-1][0]:
            insort(items, item)
        else:
            items.append(item)
        self._order.append(item)
        self.count += 1
        flow.waiting += 1
        if flow.waiting > self.longest.waiting:
            self.longest = flow
        if not flow.listed:
            self._list(flow)
        if len(self._order) > self._compact_at:
            self._compact()

    def _list(self, flow: Flow) -> None:
        start = flow.finish + flow.adjust
        if start < self._virtual:
            start = self._virtual
        flow.adjust = 0.0
        flow.finish = start
        flow.listed = True
        heappush(self._heap, (start, flow.number, flow))

    def take(self) -> Request:
        """The next one by turns; it waits no more, and its flow is charged. IndexError when nobody waits in a flow."""
        heap = self._heap
        while True:
            start, number, flow = heap[0]
            items = flow.items
            while items:
                _, ticket, request = items.popleft()
                if request.ticket == ticket:
                    if start > self._virtual:
                        self._virtual = start
                    request.ticket = 0
                    request.flow = flow
                    self.count -= 1
                    flow.waiting -= 1
                    finish = start + request.cost * flow.per_cost + flow.adjust
                    flow.adjust = 0.0
                    if finish < self._virtual:
                        finish = self._virtual
                    flow.finish = finish
                    if flow.waiting:
                        heapreplace(heap, (finish, number, flow))
                    else:
                        items.clear()
                        heappop(heap)
                        flow.listed = False
                    return request
            heappop(heap)
            flow.listed = False

    def take_out_of_turn(self, request: Request) -> None:
        """One that waits here is dispatched now; its flow is charged. KeyError or ValueError when it does not wait."""
        self.remove(request)
        flow = request.flow = self.flows.get(request.tenant)
        if flow is not None:
            flow.adjust += request.cost * flow.per_cost

    def put_back(self, request: Request) -> None:
        """One that was sent already waits again, before all others."""
        insort(self.returned, request, key=_arrival)
        self.count += 1

    def remove(self, request: Request) -> None:
        """One that waits here waits no more. KeyError or ValueError when it does not."""
        if request.ticket:
            self._forget(request, self.flows[request.tenant])
        else:
            self.returned.remove(request)
            self.count -= 1

    def _forget(self, request: Request, flow: Flow) -> None:
        """Its places are left behind; when too many are, they are cleared."""
        request.ticket = 0
        self.count -= 1
        flow.waiting -= 1
        self._left += 1
        if self._left > 2 * self.count + _FEW:
            self._left = 0
            for one in self.flows.values():
                one.items = deque([item for item in one.items if item[2].ticket == item[1]])

    def oldest(self, endpoint: str | None = None) -> Request | None:
        """Who has waited longest, of those that may be sent to this endpoint; None when nobody waits."""
        order = self._order
        while order and order[0][2].ticket != order[0][1]:
            order.popleft()
        first = order[0][2] if order else None
        if self.returned:
            again = self.again(endpoint)
            if again is not None and (first is None or again.arrived <= first.arrived):
                return again
        return first

    def has(self, endpoint: str) -> bool:
        """Whether anybody waits who may be sent to this endpoint."""
        return self.count > len(self.returned) or self.again(endpoint) is not None

    def again(self, endpoint: str | None) -> Request | None:
        """The oldest of those that were sent once already and may be sent to this endpoint; None: there is none."""
        return next((one for one in self.returned if endpoint not in one.avoid), None)

    def tail(self, than: int) -> Request | None:
        """Whom to send away when it is too full: the last of the longest flow, if that has more than `than`; else None.

        The longest is the flow that was longest when somebody came last, so that nobody has to look at all of them.
        """
        longest = self.longest
        if not longest.waiting:
            self.longest = longest = max(self.flows.values(), key=lambda one: one.waiting, default=longest)
        if longest.waiting <= than:
            return None
        items = longest.items
        while items[-1][2].ticket != items[-1][1]:
            items.pop()
        return items[-1][2]

    def ahead_of(self, tenant: str, due: float) -> int:
        """About how many will be served before a new one of this tenant: those of its own before it, as many of each
        other flow, and those who were sent once already."""
        flow = self.flows.get(tenant)
        own = min(flow.waiting, bisect_right(flow.items, due, key=_due)) if flow is not None else 0
        others = self.count - len(self.returned) - (flow.waiting if flow is not None else 0)
        listed = len(self._heap) - (flow is not None and flow.listed)
        return len(self.returned) + own + min(others, (own + 1) * listed)

    def emptied(self) -> list[Request]:
        """All who waited; nobody does any more, but their tickets stay as they are."""
        waiting = [*self.returned, *(request for _, ticket, request in self._order if request.ticket == ticket)]
        self.count = 0
        self.returned = []
        self._order.clear()
        self._heap = []
        self.flows = {}
        return waiting

    def weigh(self, weights: dict[str, int]) -> None:
        """Other weights of tenants from now on; 1 for those without."""
        for flow in self.flows.values():
            flow.per_cost = 1.0 / weights.get(flow.tenant, 1)

    def _new_flow(self, tenant: str, weight: int) -> Flow:
        """A flow without debts; those that nobody waits in and that owe nothing are forgotten now and then."""
        if len(self.flows) > 2 * len(self._heap) + _FEW:
            ahead = {
                name: flow
                for name, flow in self.flows.items()
                if flow.listed or flow.finish + flow.adjust > self._virtual
            }
            self.flows = ahead
        flow = self.flows[tenant] = Flow(tenant, next(self._numbers), weight, self._virtual)
        return flow

    def _compact(self) -> None:
        """Clear the order of arrival of those who left."""
        self._order = deque([item for item in self._order if item[2].ticket == item[1]])
        self._compact_at = 2 * len(self._order) + _FEW


def _due(item: Item) -> float:
    return item[0]


def _arrival(request: Request) -> float:
    return request.arrived
