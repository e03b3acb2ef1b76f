"""Leader election by a Lease: of all replicas one writes, and it knows for how long it may.

`candidacy` decides on what stands in `lease` (both pure); `participant` does what it asks for, with `lease_object`;
`renewer` runs them on a thread, event loop and client of their own, so that nothing else the process does can keep it
from renewing. `fence` is what the rest sees: `LeaderElector.check` raises LeaseLost once the time is up for which the
lease was surely held.

In: a Lease. Out: `wait_leading`, `check`, and `on_lost`, which ends the process unless told otherwise.

    >>> from controller.runtime.election.candidacy import Candidate, Found, step
    >>> from controller.runtime.election.lease import LeaseRecord, LeaseTiming
    >>> standby = Candidate("a", LeaseTiming(duration=15, renew_deadline=10, retry_period=2))
    >>> held = LeaseRecord(holder_identity="b", lease_duration_seconds=15)
    >>> standby, then = step(standby, Found(held, "7", sent=100.0, now=100.0), draw=0.5)
    >>> then.do.value, round(then.until, 2)  # the clock of b does not matter: a waits for a change it sees itself
    ('Wait', 101.52)
    >>> step(standby, Found(held, "7", sent=115.0, now=115.0))[1].do.value
    'TakeOver'
"""
