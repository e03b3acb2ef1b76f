"""The live map of the chart: there on request, with no more rights than it uses, and options that the process takes."""

import typer

from controller.cli.live_cluster import needed, watched
from controller.entrypoints.main import command_line
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES
from controller.runtime.clock import RealClock
from e2e.chart import Helm
from tests.charts.addons.rendered import arguments, of_kind, one

ON = {"ui": {"enabled": True}}
NAME = "aim-gpu-ui"


def test_it_is_off_unless_asked_for(helm: Helm) -> None:
    assert [obj for obj in helm.objects() if obj["metadata"]["name"] == NAME] == []


def test_the_process_takes_every_argument(helm: Helm) -> None:
    verb, *options = arguments(helm.objects(ON, namespace="gpus"), NAME)
    assert (verb, options) == ("ui-server", ["--system-namespace=gpus", "--tls-dir=/tls", "--audience=aim-gpu-ui"])
    command = typer.main.get_command(command_line(verb))
    known = {name for parameter in command.commands[verb].params for name in parameter.opts}  # type: ignore[attr-defined]
    assert {option.partition("=")[0] for option in options} <= known


def test_its_rights_are_what_it_follows_and_reviews_and_nothing_else(helm: Helm) -> None:
    objects = helm.objects(ON)
    granted = {
        (group, resource, verb)
        for kind in ("ClusterRole", "Role")
        for rule in one(objects, kind, NAME)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    client = Client(ClientConfiguration(server="http://127.0.0.1:1"))
    followed = [each.resource for each in needed(watched(client, "x", RealClock(), quiet=False).cluster)]
    used = {(each.group, each.plural, verb) for each in followed for verb in ("list", "watch")}
    used |= {(each.group, each.plural, "list") for each in (PRIORITY_CLASSES, POD_DISRUPTION_BUDGETS)}
    used |= {("authentication.k8s.io", "tokenreviews", "create")}
    used |= {("authorization.k8s.io", "subjectaccessreviews", "create")}
    assert granted == used


def test_leases_are_read_in_the_releases_namespace_alone(helm: Helm) -> None:
    (rule,) = one(helm.objects(ON), "Role", NAME)["rules"]
    assert rule == {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list", "watch"]}


def test_who_may_see_nodes_is_given_a_role_that_nobody_has_by_default(helm: Helm) -> None:
    role = one(helm.objects(), "ClusterRole", "aim-gpu-nodes-view")
    assert role["rules"] == [
        {"apiGroups": ["aim.amd.com"], "resources": ["gpunodes"], "verbs": ["get", "list", "watch"]}
    ]
    assert [label for label in role["metadata"]["labels"] if "aggregate" in label] == []


def test_it_runs_as_nobody_on_a_root_that_cannot_be_written(helm: Helm) -> None:
    pod = one(helm.objects(ON), "Deployment", NAME)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_cert_manager_is_asked_for_the_secret_that_is_mounted(helm: Helm) -> None:
    tls = {"certManager": True, "secretName": "own", "dnsNames": ["map.example.org"]}
    objects = helm.objects({"ui": {"enabled": True, "tls": tls}})
    certificate = one(objects, "Certificate", NAME)["spec"]
    volumes = one(objects, "Deployment", NAME)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": certificate["secretName"]}} in volumes
    assert {"localhost", "aim-gpu-ui.aim-gpu-system.svc", "map.example.org"} <= set(certificate["dnsNames"])
    assert of_kind(objects, "Issuer").keys() == {certificate["issuerRef"]["name"]}
