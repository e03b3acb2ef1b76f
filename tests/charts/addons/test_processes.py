"""Gateway and exporter of the chart, and what values change of them."""

from typing import Any

import pytest
import typer

from controller.entrypoints.main import command_line
from e2e.chart import ChartRefused, Helm
from tests.charts.addons.rendered import Object, arguments, of_kind, one

BOTH = {"gateway": {"enabled": True}, "exporter": {"enabled": True}}


def test_arguments_name_the_places_that_values_name(helm: Helm) -> None:
    objects = helm.objects(BOTH)
    assert set(arguments(objects, "aim-gpu-gateway")) == {
        "gateway",
        "--namespace=aim-gpu-gateway",
        "--tls-dir=/tls",
        "--key-namespace=aim-gpu-gateway",
        "--shards",
        "--drain-seconds=120",
    }
    assert arguments(objects, "aim-gpu-exporter") == [
        "exporter",
        "--gateway-tells=services",
        "--gateway-service=aim-gpu-gateway/aim-gpu-gateway",
    ]


@pytest.mark.parametrize("name", ["aim-gpu-gateway", "aim-gpu-exporter"])
def test_the_command_line_takes_every_option(helm: Helm, name: str) -> None:
    verb, *options = arguments(helm.objects(BOTH), name)
    command = typer.main.get_command(command_line(verb))
    known = {name for parameter in command.commands[verb].params for name in parameter.opts}  # type: ignore[attr-defined]
    assert {option.partition("=")[0] for option in options} <= known


def test_neither_is_there_unless_asked_for(helm: Helm) -> None:
    assert of_kind(helm.objects(), "Deployment").keys() == {"aim-gpu-operator"}


TELLS = [
    pytest.param(False, "", "nothing", id="no gateway"),
    pytest.param(True, "", "services", id="with the gateway"),
    pytest.param(True, "all", "all", id="as values say"),
]


@pytest.mark.parametrize(("gateway", "value", "want"), TELLS)
def test_the_exporter_knows_whom_the_gateway_tells_of(helm: Helm, gateway: bool, value: str, want: str) -> None:
    values = {"gateway": {"enabled": gateway}, "exporter": {"enabled": True, "gatewayTells": value}}
    assert f"--gateway-tells={want}" in arguments(helm.objects(values), "aim-gpu-exporter")


def test_other_namespaces_are_named_wherever_they_stand(helm: Helm) -> None:
    values = {"gateway": {"enabled": True, "namespace": "models-in"}, "exporter": {"enabled": True, "namespace": "out"}}
    text = helm.render(values, namespace="gpus")
    told = [line for line in text.splitlines() if "aim-gpu-system" in line or "aim-gpu-gateway:aim-gpu-gateway" in line]
    assert told == []
    objects = helm.objects(values, namespace="gpus")
    assert "--gateway-service=models-in/aim-gpu-gateway" in arguments(objects, "aim-gpu-exporter")
    (condition,) = one(objects, "ValidatingAdmissionPolicy", "aim-gpu-gateway-observed")["spec"]["matchConditions"]
    assert condition["expression"].endswith('"system:serviceaccount:models-in:aim-gpu-gateway"')


def test_keys_of_other_namespaces_are_read_where_values_say(helm: Helm) -> None:
    objects = helm.objects({"gateway": {"enabled": True, "keyNamespaces": ["team-a"]}})
    bound = {obj["metadata"]["namespace"] for obj in objects if obj["kind"] == "RoleBinding" and _keys(obj)}
    assert bound == {"aim-gpu-gateway", "team-a"}
    assert {"--key-namespace=aim-gpu-gateway", "--key-namespace=team-a"} <= set(arguments(objects, "aim-gpu-gateway"))


def test_keys_of_all_namespaces_are_read_only_on_request(helm: Helm) -> None:
    objects = helm.objects({"gateway": {"enabled": True, "keyNamespaces": ["*"]}})
    assert [obj["kind"] for obj in objects if obj["kind"].endswith("Binding") and _keys(obj)] == ["ClusterRoleBinding"]


def _keys(binding: Object) -> bool:
    return bool(binding.get("roleRef", {}).get("name") == "aim-gpu-gateway-keys")


def test_an_autoscaled_gateway_has_its_replicas_from_the_autoscaler_alone(helm: Helm) -> None:
    objects = helm.objects({"gateway": {"enabled": True, "autoscaling": {"enabled": True}}})
    assert "replicas" not in one(objects, "Deployment", "aim-gpu-gateway")["spec"]
    scaler = one(objects, "HorizontalPodAutoscaler", "aim-gpu-gateway")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["scaleTargetRef"]["name"] == "aim-gpu-gateway"


def test_cert_manager_is_asked_for_the_secret_that_is_mounted(helm: Helm) -> None:
    tls = {"certManager": True, "secretName": "own", "dnsNames": ["models.example.org"]}
    objects = helm.objects({"gateway": {"enabled": True, "tls": tls}})
    certificate = one(objects, "Certificate", "aim-gpu-gateway")["spec"]
    volumes = one(objects, "Deployment", "aim-gpu-gateway")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": certificate["secretName"]}} in volumes
    assert {"aim-gpu-gateway.aim-gpu-gateway.svc", "models.example.org"} <= set(certificate["dnsNames"])
    assert of_kind(objects, "Issuer").keys() == {certificate["issuerRef"]["name"]}


def test_an_issuer_of_ones_own_takes_the_place_of_the_charts(helm: Helm) -> None:
    issuer = {"kind": "ClusterIssuer", "name": "company"}
    objects = helm.objects({"gateway": {"enabled": True, "tls": {"certManager": True, "issuerRef": issuer}}})
    assert one(objects, "Certificate", "aim-gpu-gateway")["spec"]["issuerRef"] == issuer
    assert not of_kind(objects, "Issuer")


def gateway(**values: Any) -> Object:
    return {"gateway": {"enabled": True, **values}}


REFUSED = [
    pytest.param(gateway(replicas=1), ["gateway.podDisruptionBudget.minAvailable", "1 of gateway.replicas: 1", "at most 0"], id="no drain"),
    pytest.param(gateway(podDisruptionBudget={"minAvailable": "100%"}), ["gateway.podDisruptionBudget.minAvailable", "100% of gateway.replicas: 2 keeps 2", "at most 1"], id="no drain at all"),
    pytest.param(gateway(autoscaling={"enabled": True, "minReplicas": 1}), ["minAvailable", "gateway.autoscaling.minReplicas"], id="no drain while few"),
    pytest.param(gateway(autoscaling={"enabled": True, "minReplicas": 2}, podDisruptionBudget={"minAvailable": "51%"}), ["51% of gateway.autoscaling.minReplicas: 2 keeps 2"], id="a share that is rounded up"),
    pytest.param({"gateway": {"tls": {"certManager": True}}}, ["gateway.tls.certManager: true", "gateway.enabled to true"], id="a certificate of a gateway that is not there"),
    pytest.param(gateway(autoscaling={"enabled": True, "minReplicas": 4, "maxReplicas": 3}), ["4 is more than maxReplicas, 3", "raise maxReplicas"], id="upside down"),
    pytest.param(gateway(autoscaling={"enabled": True}, resources={"requests": {"cpu": None}}), ["gateway.resources.requests.cpu", "set it"], id="a share of nothing"),
    pytest.param(gateway(namespace="aim-gpu-system"), ["gateway.createNamespace", '"aim-gpu-system"', "to false"], id="the release's namespace"),
    pytest.param(gateway(tls={"issuerRef": {"kind": "Issuer", "name": "mine"}}), ["gateway.tls.issuerRef", "certManager to true"], id="an issuer that nobody asks"),
    pytest.param({"exporter": {"enabled": True, "namespace": "aim-gpu-system"}}, ["exporter.createNamespace", "to false"], id="the exporter in the release's namespace"),
    pytest.param(gateway() | {"exporter": {"enabled": True, "namespace": "aim-gpu-gateway"}}, ["exporter.createNamespace", "for the gateway already"], id="one namespace twice"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "want"), REFUSED)
def test_values_that_do_not_go_together_are_refused_with_a_remedy(helm: Helm, values: Object, want: list[str]) -> None:
    with pytest.raises(ChartRefused) as refused:
        helm.render(values)
    assert all(word in str(refused.value) for word in want), str(refused.value)


def test_one_replica_is_taken_where_nothing_is_kept_from_a_drain(helm: Helm) -> None:
    objects = helm.objects(gateway(replicas=1, podDisruptionBudget={"minAvailable": 0}))
    assert one(objects, "Deployment", "aim-gpu-gateway")["spec"]["replicas"] == 1
