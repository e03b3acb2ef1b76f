"""What the Secret holds, read and written back; what each step makes of it; and what is damaged."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.certs.material import (
    Issuance,
    Material,
    UnreadableSecret,
    advance,
    data_of,
    held,
    perform,
    read_material,
)
from controller.runtime.certs.rotation import Action, RotationPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NAMES = ("aim.svc", "127.0.0.1", "::1")
ISSUANCE = Issuance(NAMES, "webhook CA", RotationPolicy())


@pytest.fixture(scope="module")
def fresh() -> Material:
    return advance(Material(), ISSUANCE, NOW)[0]


def verifies(material: Material, bundle: bytes, now: datetime) -> bool:
    """Whether a client that trusts `bundle` accepts the leaf for its first name, by somebody else's rules."""
    assert material.leaf is not None
    store = Store(x509.load_pem_x509_certificates(bundle))
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName("aim.svc"))
    try:
        verifier.verify(x509.load_pem_x509_certificate(material.leaf.certificate_pem), [])
    except x509.verification.VerificationError:
        return False
    return True


def test_the_first_replica_makes_an_authority_and_a_leaf_in_one_go(fresh: Material) -> None:
    _, steps = advance(Material(), ISSUANCE, NOW)
    assert [step.action for step in steps] == [Action.MAKE_AUTHORITY, Action.ISSUE_LEAF]
    assert fresh.leaf is not None
    assert fresh.leaf.not_after == NOW + 30 * DAY
    assert fresh.bundle.count(b"BEGIN CERTIFICATE") == 1


def test_what_a_clock_an_hour_ahead_has_made_is_made_anew_and_old_leaves_stay_trusted() -> None:
    ahead, _ = advance(Material(), ISSUANCE, NOW + HOUR)
    assert not verifies(ahead, ahead.bundle, NOW)
    mended, steps = advance(ahead, ISSUANCE, NOW)
    assert [step.action for step in steps] == [Action.MAKE_AUTHORITY, Action.ISSUE_LEAF]
    assert "by a clock that is ahead of ours" in steps[0].reason
    assert verifies(mended, mended.bundle, NOW)
    assert verifies(ahead, mended.bundle, NOW + HOUR)


def test_nothing_due_is_the_very_same_material(fresh: Material) -> None:
    again, steps = advance(fresh, ISSUANCE, NOW + DAY)
    assert again is fresh
    assert steps == ()


def stages(fresh: Material) -> list[Material]:
    """An authority, another beside it, the new one signing, the old one gone."""
    made = [fresh]
    for action in (Action.ADD_AUTHORITY, Action.SWITCH_AUTHORITY, Action.DROP_RETIRED):
        made.append(perform(action, made[-1], ISSUANCE, NOW + DAY))
    return made


@pytest.mark.parametrize(
    ("until", "keys", "authorities"),
    [
        pytest.param(0, {"tls.crt", "tls.key", "ca.crt", "ca.key"}, 1, id="one authority"),
        pytest.param(
            1, {"tls.crt", "tls.key", "ca.crt", "ca.key", "next-ca.crt", "next-ca.key"}, 2, id="another beside it"
        ),
        pytest.param(2, {"tls.crt", "tls.key", "ca.crt", "ca.key"}, 2, id="the old one only trusted any more"),
        pytest.param(3, {"tls.crt", "tls.key", "ca.crt", "ca.key"}, 1, id="the old one gone"),
    ],
)
def test_what_is_written_is_what_is_read(fresh: Material, until: int, keys: set[str], authorities: int) -> None:
    material = stages(fresh)[until]
    data = data_of(material)
    assert set(data) == keys
    assert base64.b64decode(data["ca.crt"]).count(b"BEGIN") == authorities
    again = read_material(data)
    assert (again.signer, again.upcoming, again.retired) == (material.signer, material.upcoming, material.retired)
    assert again.serving == material.serving


def test_clients_and_servers_one_step_apart_get_on(fresh: Material) -> None:
    made = stages(fresh)
    accepted = [[verifies(leaf, bundle.bundle, NOW + 2 * DAY) for bundle in made] for leaf in made]
    assert accepted == [
        [True, True, True, False],
        [True, True, True, False],
        [False, True, True, True],
        [False, True, True, True],
    ]


def test_a_leaf_does_not_outlive_its_authority(fresh: Material) -> None:
    late = perform(Action.ISSUE_LEAF, fresh, ISSUANCE, NOW + 360 * DAY)
    assert late.leaf is not None
    assert late.leaf.not_after == NOW + 365 * DAY


@pytest.mark.parametrize(
    ("names", "want"),
    [
        pytest.param(NAMES, True, id="the same names"),
        pytest.param(NAMES[:1], True, id="fewer names"),
        pytest.param(("0:0:0:0:0:0:0:1",), True, id="an address in another spelling"),
        pytest.param((*NAMES, "other.svc"), False, id="a name more"),
    ],
)
def test_a_leaf_that_has_all_names_counts(fresh: Material, names: tuple[str, ...], want: bool) -> None:
    assert (held(fresh, names).leaf is not None) == want


def test_replicas_that_want_different_names_get_a_leaf_for_both(fresh: Material) -> None:
    wider = advance(fresh, Issuance(("other.svc",), "webhook CA", RotationPolicy()), NOW + DAY)[0]
    assert held(wider, (*NAMES, "other.svc")).leaf is not None
    assert advance(wider, ISSUANCE, NOW + DAY)[1] == ()


def test_names_that_nobody_wants_go_with_the_renewal(fresh: Material) -> None:
    renewed = advance(fresh, Issuance(("aim.svc",), "webhook CA", RotationPolicy()), NOW + 20 * DAY)[0]
    assert held(renewed, ("aim.svc",)).leaf is not None
    assert held(renewed, NAMES).leaf is None


def test_taking_the_authoritys_key_away_rotates_it_in_order(fresh: Material) -> None:
    data = {name: value for name, value in data_of(fresh).items() if name != "ca.key"}
    material, steps = advance(read_material(data), ISSUANCE, NOW + DAY)
    assert [step.action for step in steps] == [Action.ADD_AUTHORITY]
    assert material.serving is not None
    material, steps = advance(read_material(data_of(material)), ISSUANCE, NOW + DAY + 3 * HOUR)
    assert [step.action for step in steps] == [Action.SWITCH_AUTHORITY]
    material, steps = advance(read_material(data_of(material)), ISSUANCE, NOW + DAY + 6 * HOUR)
    assert [step.action for step in steps] == [Action.DROP_RETIRED]


def damaged(material: Material, **changes: bytes | None) -> dict[str, str]:
    data: dict[str, Any] = data_of(material)
    for name, value in changes.items():
        data[name.replace("_", ".")] = None if value is None else base64.b64encode(value).decode()
    return data


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tls_crt": None}, id="no leaf"),
        pytest.param({"tls_crt": b"garbage"}, id="a leaf that is garbage"),
        pytest.param({"tls_key": None}, id="no key"),
        pytest.param({"tls_key": b"garbage"}, id="a key that is garbage"),
        pytest.param({"tls_key": make_authority("x", NOW, DAY).private_key_pem}, id="another leaf's key"),
        pytest.param({"tls_crt": make_authority("x", NOW, DAY).certificate_pem}, id="another authority's leaf"),
    ],
)
def test_a_damaged_leaf_is_made_anew(fresh: Material, changes: dict[str, bytes | None]) -> None:
    material, steps = advance(read_material(damaged(fresh, **changes)), ISSUANCE, NOW + DAY)
    assert [step.action for step in steps] == [Action.ISSUE_LEAF]
    assert verifies(material, fresh.bundle, NOW + DAY)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"ca_crt": b"garbage"}, "ca.crt: no PEM certificate", id="authorities that are garbage"),
        pytest.param(
            {"ca_crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "ca.crt: ", id="an empty shell"
        ),
        pytest.param({"ca_key": b"garbage"}, "remove ca.key", id="a key that is garbage"),
        pytest.param(
            {"ca_key": make_authority("x", NOW, DAY).private_key_pem}, "another certificate", id="another's key"
        ),
    ],
)
def test_a_damaged_authority_is_not_replaced_behind_anybodys_back(
    fresh: Material, changes: dict[str, bytes | None], want: str
) -> None:
    with pytest.raises(UnreadableSecret, match=want):
        read_material(damaged(fresh, **changes))


def test_what_is_no_base64_is_named() -> None:
    with pytest.raises(UnreadableSecret, match=r"tls.crt: no base64"):
        read_material({"tls.crt": "*"})


def test_an_ended_authority_is_replaced_at_once(fresh: Material) -> None:
    material, steps = advance(fresh, ISSUANCE, NOW + 400 * DAY)
    assert [step.action for step in steps] == [Action.MAKE_AUTHORITY, Action.ISSUE_LEAF]
    assert verifies(material, material.bundle, NOW + 400 * DAY)
    assert material.retired == ()


def test_a_leaf_that_somebody_else_made_without_names_does_not_fit(fresh: Material) -> None:
    other = make_authority("other", NOW, 40 * DAY)
    assert held(Material(signer=other, leaf=issue_leaf(other, ["x"], NOW, DAY)), NAMES).leaf is None


def test_no_key_is_ever_printed(fresh: Material) -> None:
    assert "PRIVATE" not in repr(stages(fresh)[1])


def test_what_a_certificate_leaves_out_of_its_date_is_waited_for(fresh: Material) -> None:
    """It holds whole seconds. With times as short as these the rest would be most of the wait."""
    late = NOW + timedelta(microseconds=999_000)
    policy = RotationPolicy.lasting(timedelta(seconds=8), timedelta(seconds=32))
    hasty = replace(ISSUANCE, policy=policy)
    added = perform(Action.ADD_AUTHORITY, fresh, hasty, late)
    assert advance(added, hasty, late + 2 * policy.settle - timedelta(milliseconds=2))[1] == ()
    _, steps = advance(added, hasty, late + 2 * policy.settle + timedelta(milliseconds=2))
    assert [step.action for step in steps] == [Action.SWITCH_AUTHORITY]
