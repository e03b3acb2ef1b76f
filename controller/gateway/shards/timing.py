"""How long things take among replicas, in seconds."""

from dataclasses import dataclass, field

from controller.runtime.election.lease import LeaseTiming


@dataclass(frozen=True, slots=True)
class ShardTiming:
    """The times of shards; every replica of a gateway must have the same `lease`.

    `lease`: others take a lost replica's shards after its `duration`. That is how long its requests wait, and also how
    long the API server may be away before dispatching pauses (its `renew_deadline`).
    """

    lease: LeaseTiming = field(default_factory=lambda: LeaseTiming(duration=10, renew_deadline=7.0, retry_period=2.0))
    handovers: int = 4
    """Shards given back at once: each pauses for a moment."""
    look: float = 1.0
    """Between two looks at who should have what, besides those at each change."""
    engine_lag: float = 1.0
    """How long a request may be at an engine before the engine counts it: vLLM counts once a step of its batch."""
    ask: float = 0.25
    """Between two questions to other replicas and engines, while others' requests may run at our engines."""
    ask_timeout: float = 1.0
    """For one of these questions."""
    quiet_after: float = 5.0
    """How long an engine's answers may not tell others' requests from ours, before it is left alone for a moment."""
    gone: float = 600.0
    """After this, others' requests are taken to have ended also where nobody says so: how long one may take at most."""
    forget: float = 30.0
    """Lease durations after which the Lease of a replica that is gone is removed."""
