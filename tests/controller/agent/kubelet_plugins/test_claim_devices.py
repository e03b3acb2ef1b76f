from typing import Any

import pytest

from controller.agent.backend import DriverGone
from controller.agent.kubelet_plugins.claim_devices import (
    NotYet,
    PrepareRefused,
    given_devices,
    require_free,
)
from controller.agent.kubelet_plugins.plugin import NodeView
from tests.controller.agent.hardware import A
from tests.controller.agent.kubelet_plugins.node import Host, allocated

UID = "uid-c"


async def test_devices_come_in_the_order_of_the_allocation_and_others_drivers_are_left_out() -> None:
    host = await Host.of("CPX/NPS4")
    claim = allocated("c", "gpu-9-137", "gpu-0-128")
    claim["status"]["allocation"]["devices"]["results"].insert(0, {"driver": "nic.example.com", "device": "eth0"})
    found = given_devices(claim, UID, "node-0", host.view())
    assert [(one.device.name, one.request, one.pool) for one in found] == [
        ("gpu-9-137", "r0", "node-0"),
        ("gpu-0-128", "r1", "node-0"),
    ]


@pytest.mark.parametrize(
    ("claim", "error", "want"),
    [
        pytest.param(allocated("c", "gpu-0-128", uid="new"), PrepareRefused, "made anew", id="another uid"),
        pytest.param(allocated("c"), NotYet, "not allocated", id="not allocated"),
        pytest.param(allocated("c", "gpu-0-128", pool="node-1"), PrepareRefused, "of node-1", id="another node"),
        pytest.param(allocated("c", "gpu-0-129"), NotYet, "device gpu-0-129: this node has not got it", id="no device"),
        pytest.param(allocated("c", "gpu-0-128", driver="x"), PrepareRefused, "no device of this driver", id="driver"),
    ],
)
async def test_claims_that_cannot_be_prepared(claim: dict[str, Any], error: type[PrepareRefused], want: str) -> None:
    host = await Host.of("CPX/NPS4")
    with pytest.raises(PrepareRefused, match=want) as raised:
        given_devices(claim, UID, "node-0", host.view())
    assert raised.type is error


async def test_hardware_that_changes_or_cannot_be_read_is_waited_for() -> None:
    host = await Host.of("CPX/NPS4")
    unread = NodeView(host.view().hardware, DriverGone("no driver; load it"))
    host.withdraw(A)
    for view, want in ((host.view(), "about to change"), (unread, "load it"), (NodeView(), "not read yet")):
        with pytest.raises(NotYet, match=want):
            given_devices(allocated("c", "gpu-0-128"), UID, "node-0", view)


async def test_a_device_that_another_claim_has_is_not_given_twice_but_may_be_looked_at() -> None:
    host = await Host.of("CPX/NPS4")
    mine = given_devices(allocated("c", "gpu-0-128"), UID, "node-0", host.view())
    with pytest.raises(NotYet, match="still prepared for the ResourceClaim with uid uid-old"):
        require_free(mine, [("gpu-0-128", "uid-old")])
    require_free(mine, [("gpu-1-129", "uid-old")])
    looking = given_devices(allocated("c", "gpu-0-128", adminAccess=True), UID, "node-0", host.view())
    require_free(looking, [("gpu-0-128", "uid-old")])
