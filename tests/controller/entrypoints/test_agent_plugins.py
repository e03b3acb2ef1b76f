from pathlib import Path

import pytest

from controller.agent.kubelet_plugins.device_plugin import DevicePlugin
from controller.agent.kubelet_plugins.dra_plugin import DraPlugin
from controller.agent.kubelet_plugins.plugin import KubeletPlugin
from controller.binding.device_plugin import Naming
from controller.entrypoints.agent_backends import choose_plugin
from controller.entrypoints.agent_nodes import AgentOptionError
from controller.entrypoints.agent_options import AgentOptions, BackendChoice, NodeOptions, PluginKind, PluginOptions
from controller.entrypoints.agent_plugins import GivenPlugin, plugin
from controller.gpu.mode import mode
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from tests.controller.agent.kubelet_plugins.node import Host

A, B = (NodeOptions(name, mode=mode("CPX/NPS4")) for name in "ab")
SIMULATED = BackendChoice.SIMULATED
CONNECTION = ClientConfiguration(server="http://127.0.0.1:1")


def test_without_the_option_no_kubelet_is_served() -> None:
    assert plugin(GivenPlugin(), SIMULATED, [A]) is None
    assert plugin(GivenPlugin(), BackendChoice.AUTO, [A]) is None


def test_the_folders_are_those_of_every_kubelet_by_default() -> None:
    found = plugin(GivenPlugin(PluginKind.DRA), SIMULATED, [A])
    assert found == PluginOptions(PluginKind.DRA, Path("/var/lib/kubelet"), Path("/var/run/cdi"), Naming.SINGLE)


def test_each_node_has_a_kubelet_of_its_own() -> None:
    found = plugin(GivenPlugin(PluginKind.DRA, Path("/k/{node}")), SIMULATED, [A, B])
    assert found is not None
    assert [found.root(name) for name in "ab"] == [Path("/k/a"), Path("/k/b")]


@pytest.mark.parametrize(
    ("given", "backend", "want"),
    [
        pytest.param(
            GivenPlugin(PluginKind.DRA),
            BackendChoice.AMDSMI,
            "--kubelet-plugin dra: .* AMD's own DRA driver",
            id="real",
        ),
        pytest.param(GivenPlugin(PluginKind.DRA), SIMULATED, "2 nodes have a kubelet each", id="one kubelet for two"),
        pytest.param(
            GivenPlugin(kubelet_root=Path("/k")),
            SIMULATED,
            "--kubelet-root /k: goes with --kubelet-plugin",
            id="folder",
        ),
        pytest.param(
            GivenPlugin(PluginKind.DEVICE_PLUGIN, Path("/k/{node}"), Path("/cdi")),
            SIMULATED,
            "--cdi-dir /cdi: goes with --kubelet-plugin dra",
            id="CDI without DRA",
        ),
        pytest.param(
            GivenPlugin(PluginKind.DRA, Path("/k/{node}"), naming=Naming.MIXED),
            SIMULATED,
            "--resource-naming mixed: goes with --kubelet-plugin device-plugin",
            id="names without a device plugin",
        ),
        pytest.param(
            GivenPlugin(PluginKind.DRA, Path("k/{node}")),
            SIMULATED,
            "--kubelet-root k/a: .* give it from / on",
            id="relative",
        ),
        pytest.param(
            GivenPlugin(PluginKind.DRA, Path("/" + "k" * 80) / "{node}"), SIMULATED, "give a shorter one", id="too long"
        ),
    ],
)
def test_options_that_make_no_sense(given: GivenPlugin, backend: BackendChoice, want: str) -> None:
    with pytest.raises(AgentOptionError, match=want):
        plugin(given, backend, [A, B])


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        pytest.param(PluginKind.DRA, DraPlugin, id="dra"),
        pytest.param(PluginKind.DEVICE_PLUGIN, DevicePlugin, id="device plugin"),
    ],
)
async def test_the_plugin_that_was_asked_for_is_made(
    kind: PluginKind, want: type[KubeletPlugin], tmp_path: Path
) -> None:
    options = AgentOptions((A,), CONNECTION, plugin=PluginOptions(kind, tmp_path, tmp_path / "cdi"))
    make = choose_plugin(A, options, RealClock())
    assert make is not None
    async with Client(CONNECTION) as client:
        made = make(await Host.of("CPX/NPS4"), client)
    assert isinstance(made, want)
    assert made.publishes is (kind is PluginKind.DRA)


def test_real_gpus_are_left_to_amds_own_plugins() -> None:
    options = AgentOptions((A,), CONNECTION, BackendChoice.SYSFS, plugin=PluginOptions(PluginKind.DRA))
    assert choose_plugin(A, options, RealClock()) is None
