"""The certificates and tokens of a plane."""

import csv
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from e2e.plane.credentials import write_credentials


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_servers_have_certificates_for_every_address_of_the_plane(tmp_path: Path) -> None:
    made = write_credentials(tmp_path, addresses=("127.0.0.1", "198.18.0.1"))

    for path in (made.serving_certificate, made.webhook_certificate):
        certificate = read(path)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "198.18.0.1"]
        certificate.verify_directly_issued_by(read(made.authority))


def test_kubelets_are_asked_by_a_client_of_the_masters(tmp_path: Path) -> None:
    made = write_credentials(tmp_path)

    certificate = read(made.kubelet_client_certificate)

    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    certificate.verify_directly_issued_by(read(made.authority))


def test_each_user_has_a_token_with_its_groups(tmp_path: Path) -> None:
    made = write_credentials(tmp_path, {"system:node:n": ("system:nodes",), "someone": ()})

    with made.token_file.open(newline="") as file:
        rows = {user: (token, groups) for token, user, _, groups in csv.reader(file)}
    assert rows == {
        "system:node:n": (made.tokens["system:node:n"], "system:nodes"),
        "someone": (made.tokens["someone"], ""),
    }
    assert made.token_file.stat().st_mode & 0o777 == 0o600
