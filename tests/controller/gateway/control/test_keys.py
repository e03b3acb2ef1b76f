import base64
import hashlib

import pytest

from controller.gateway.control.keys import Key, keys_by_digest, keys_of
from tests.builders.watched import key_secret

DIGEST = hashlib.sha256(b"sk-1").digest()


def wire(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_secrets_entries_are_keys_of_its_namespace() -> None:
    secret = key_secret("team-a", ci=wire(DIGEST.hex()), notebook=wire(f"{DIGEST.hex().upper()}\n"))
    assert list(keys_of(secret)) == [Key(DIGEST, "team-a", "ci"), Key(DIGEST, "team-a", "notebook")]


@pytest.mark.parametrize("held", ["sk-in-plain-text", "", DIGEST.hex()[:-1], DIGEST.hex() + "00", "é" * 32])
def test_what_is_no_digest_is_told_without_repeating_it(held: str) -> None:
    (told,) = keys_of(key_secret("team-a", ci=wire(held)))
    assert told == (
        "Secret team-a/aim-gpu-gateway-keys: data.ci is no SHA-256 digest: "
        "write 64 hexadecimal digits, and never the key itself"
    )


def test_what_is_no_base64_is_told_too() -> None:
    (told,) = keys_of(key_secret("team-a", ci="%%%"))
    assert isinstance(told, str)


def test_a_key_of_two_namespaces_is_neithers() -> None:
    both = [Key(DIGEST, "team-a", "one"), Key(DIGEST, "team-b", "two"), Key(b"x", "team-b", "three")]
    keys, problems = keys_by_digest(both)
    assert keys == {b"x": Key(b"x", "team-b", "three")}
    assert problems == ["key team-b/two is key team-a/one too, and neither counts: make another"]


def test_a_key_twice_in_one_namespace_is_one() -> None:
    keys, problems = keys_by_digest([Key(DIGEST, "team-a", "two"), Key(DIGEST, "team-a", "one")])
    assert (keys, problems) == ({DIGEST: Key(DIGEST, "team-a", "one")}, [])
