import json
from pathlib import Path

import pytest

from controller.runtime.pod_addresses import Address, AddressFile, AddressFileError, AsShown, parse_addresses

SHOWN = Address("10.0.0.1", 8000, tls=True)


def test_in_a_cluster_engines_are_where_their_slices_say() -> None:
    assert AsShown().resolve("uid", SHOWN) is SHOWN


def test_a_file_says_where_pods_are_and_whom_it_does_not_name_is_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    found = AddressFile(path)
    assert found.look() is False
    path.write_text('{"uid": "127.0.0.1:4000", "six": "[::1]:4001"}')
    assert found.look() is True
    assert found.look() is False
    assert found.resolve("uid", SHOWN) == Address("127.0.0.1", 4000)
    assert found.resolve("six", SHOWN) == Address("::1", 4001)
    assert found.resolve("other", SHOWN) is None
    path.unlink()
    assert found.look() is True
    assert found.resolve("uid", SHOWN) is None


@pytest.mark.parametrize("where", ["nowhere", ":80", "host:", "host:0", "host:65536", "host:-1", 80, None])
def test_what_is_no_address_is_told(where: object) -> None:
    with pytest.raises(AddressFileError, match="is no address: write HOST:PORT"):
        parse_addresses(json.dumps({"uid": where}))


@pytest.mark.parametrize("text", ["", "{", "[]", "1"])
def test_what_is_no_object_of_addresses_is_told(text: str) -> None:
    with pytest.raises(AddressFileError, match="write an object of HOST:PORT by pod uid"):
        parse_addresses(text)
