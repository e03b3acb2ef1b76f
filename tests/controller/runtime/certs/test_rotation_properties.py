"""Two years of replicas that come late, write slowly, disagree about the time and race each other.

Nobody may notice: whoever trusts a bundle that was published within the settle time accepts the leaf of every replica
that read the Secret within the settle time, at every moment. Certificates are the real ones; only the Secret and the
time are simulated, event by event, and versions are compared as intervals, so that no moment is left out.
"""

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.material import Issuance, Material, advance, data_of, perform, read_material
from controller.runtime.certs.rotation import Action, RotationPolicy, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
YEARS = timedelta(days=730)
POLICY = RotationPolicy(authority_lifetime=200 * DAY, leaf_lifetime=30 * DAY, settle=36 * HOUR)
ISSUANCE = Issuance(["aim.svc", "127.0.0.1"], "simulated", POLICY)


@dataclass(frozen=True)
class Version:
    """The Secret from `since` to `until`, and what it holds."""

    since: datetime
    until: datetime
    material: Material

    @property
    def leaf(self) -> ServingCertificate:
        assert self.material.leaf is not None
        return self.material.leaf

    def known_until(self) -> datetime:
        """As long as somebody may go by what it read then."""
        return self.until + POLICY.settle


@dataclass
class Secret:
    """What is stored, and all that ever was. Writes carry a version and may be refused."""

    material: Material = field(default_factory=Material)
    version: int = 0
    actions: list[Action] = field(default_factory=list)
    _since: datetime = START
    _past: list[Version] = field(default_factory=list)

    def write(self, now: datetime, version: int, material: Material, steps: tuple[Step, ...]) -> None:
        if version != self.version or not steps:
            return
        self.close(now)
        self.material, self.version, self._since = read_material(data_of(material)), version + 1, now
        self.actions += [step.action for step in steps]

    def close(self, now: datetime) -> list[Version]:
        """Every version so far, the present one until `now`."""
        if self.version:
            self._past.append(Version(self._since, now, self.material))
        return self._past


def simulate(rng: Random, replicas: int, outages: int) -> Secret:
    """Replicas look at odd times; a write arrives late; clocks differ; now and then nobody looks for days."""
    secret = Secret()
    skews = [rng.uniform(-1, 1) * 4 * MINUTE for _ in range(replicas)]
    away = sorted(START + rng.uniform(1, 700) * DAY for _ in range(outages))
    looks = [(START + rng.random() * DAY, replica) for replica in range(replicas)]
    heapq.heapify(looks)
    while looks[0][0] < START + YEARS:
        now, replica = heapq.heappop(looks)
        version = secret.version
        wanted, steps = advance(secret.material, ISSUANCE, now + skews[replica])
        late = now + rng.random() ** 4 * 12 * HOUR
        while looks and looks[0][0] < late:  # others look meanwhile: if one writes, the late write is refused
            other, competitor = heapq.heappop(looks)
            secret.write(other, secret.version, *advance(secret.material, ISSUANCE, other + skews[competitor]))
            heapq.heappush(looks, (other + rng.uniform(12, 24) * HOUR, competitor))
        secret.write(late, version, wanted, steps)
        pause = timedelta(0)
        if away and away[0] < now:
            pause = 5 * DAY
            away.pop(0)
        heapq.heappush(looks, (late + pause + rng.uniform(12, 24) * HOUR, replica))
    return secret


def check(versions: list[Version]) -> int:
    """Every pair of a bundle and a leaf that can meet, for the whole time in which they can; how many there are."""
    pairs = 0
    for bundle in versions:
        for shown in versions:
            first, last = max(bundle.since, shown.since), min(bundle.known_until(), shown.known_until())
            if first > last:
                continue
            pairs += 1
            assert shown.leaf.authority_pem in bundle.material.bundle
            authority = x509.load_pem_x509_certificate(shown.leaf.authority_pem)
            assert shown.leaf.not_before <= first
            assert last < shown.leaf.not_after <= authority.not_valid_after_utc
            assert authority.not_valid_before_utc <= first
    return pairs


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), replicas=st.integers(1, 3), outages=st.integers(0, 3))
def test_every_client_accepts_every_replica_at_every_moment(seed: int, replicas: int, outages: int) -> None:
    secret = simulate(Random(seed), replicas, outages)
    versions = secret.close(START + YEARS)
    assert check(versions) > len(versions) > 30
    assert secret.actions.count(Action.MAKE_AUTHORITY) == 1
    assert secret.actions.count(Action.SWITCH_AUTHORITY) >= 3


def test_a_new_authority_that_signs_at_once_would_be_noticed() -> None:
    usual, _ = advance(Material(), ISSUANCE, START)
    hasty = usual
    for action in (Action.ADD_AUTHORITY, Action.SWITCH_AUTHORITY):
        hasty = perform(action, hasty, ISSUANCE, START + DAY)
    versions = [Version(START, START + DAY, usual), Version(START + DAY, START + 2 * DAY, hasty)]
    with pytest.raises(AssertionError, match="authority_pem"):
        check(versions)
