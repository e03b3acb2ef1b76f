"""What the services on one shared partition are promised, against what their policy lets be in flight there. Pure.

promises = Promises({"team-a/chat": 5, "team-a/draft": 1})
promises.left("team-a/code", bound=8)   # 2: what a third service can be promised
promises.left("team-a/chat", bound=8)   # 7: its own promise is no other's
"""

from collections.abc import Mapping


class Promises:
    """By service, the requests that it can always have in flight: all its pods together, so each service counts once.

    Services are named by `namespace/name`; pods of none are promised nothing, whatever stands for them. Mutable.
    """

    def __init__(self, least: Mapping[str, int] | None = None) -> None:
        self._least = dict(least or {})

    def __contains__(self, service: str) -> bool:
        return service in self._least

    @property
    def services(self) -> frozenset[str]:
        """Whoever has pods there, promised something or not."""
        return frozenset(self._least)

    @property
    def together(self) -> int:
        """Requests that are promised to all of them at once."""
        return sum(self._least.values())

    def left(self, service: str, bound: int | None) -> int | None:
        """What the others leave of `bound` for this service, below 0 where they have more already.

        None: nothing bounds them.
        """
        return None if bound is None else bound - self.together + self._least.get(service, 0)

    def make(self, service: str, least: int) -> None:
        """The service has a pod there, and is promised `least` requests in flight."""
        self._least[service] = least
