"""Who we act as, in headers as the API server reads them."""

import pytest

from controller.runtime.client.configuration import ConfigurationError, Impersonation
from controller.runtime.client.headers import bearer_field, impersonation_fields


def test_nobody() -> None:
    assert impersonation_fields(None) == []


def test_everything_about_somebody() -> None:
    whom = Impersonation("jane", ("dev", "ops"), {"acme.com/scopes": ("view", "edit")}, uid="u-1")
    assert impersonation_fields(whom) == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "u-1"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-acme.com%2Fscopes", "view"),
        ("Impersonate-Extra-acme.com%2Fscopes", "edit"),
    ]


@pytest.mark.parametrize(
    ("key", "want"),
    [
        pytest.param("scopes", "scopes", id="a plain key"),
        pytest.param("a%2Fb", "a%252Fb", id="a percent sign begins an escape and is escaped itself"),
        pytest.param("a b:c", "a%20b%3Ac", id="what no header's name may hold"),
        pytest.param("ü", "%C3%BC", id="the bytes of UTF-8"),
        pytest.param("a!#$&'*+-.^_`|~0", "a!#$&'*+-.^_`|~0", id="signs that a header's name may hold"),
    ],
)
def test_extra_keys_are_escaped(key: str, want: str) -> None:
    ((name, _),) = impersonation_fields(Impersonation("jane", extra={key: ("v",)}))[1:]
    assert name == f"Impersonate-Extra-{want}"


@pytest.mark.parametrize("user", ["jane\r\nX: y", "jane\n", "\x00"])
def test_a_value_cannot_end_its_line(user: str) -> None:
    with pytest.raises(ConfigurationError, match="Impersonate-User"):
        impersonation_fields(Impersonation(user))


def test_a_token_cannot_either_and_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="Authorization") as caught:
        bearer_field("s3cret\nX: y")
    assert "s3cret" not in str(caught.value)


def test_groups_without_a_user_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="without a user"):
        Impersonation("", ("system:masters",))
