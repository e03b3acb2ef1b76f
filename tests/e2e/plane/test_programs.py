"""The versions in code are those of the locked modules."""

import re

import pytest

from e2e.plane.programs import (
    CRDIFY,
    FAMILIES,
    HELM,
    KSERVE,
    NODE_FAMILIES,
    OLM,
    OPERATOR_VERIFY,
    OPM,
    Family,
    kserve_wanted,
    wanted_families,
)

ALL = (*FAMILIES, KSERVE, *NODE_FAMILIES, HELM, OPERATOR_VERIFY, OPM, OLM, CRDIFY)
MODULES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "kubernetes": "k8s.io/kubernetes",
    "kubelet": "k8s.io/kubernetes",
    "coredns": "github.com/coredns/coredns",
    "containerd": "github.com/containerd/containerd/v2",
    "kserve": "github.com/kserve/kserve",
    "helm": "helm.sh/helm/v3",
    "operator-verify": "github.com/operator-framework/api",
    "operator-lifecycle-manager": "github.com/operator-framework/operator-lifecycle-manager",
    "crdify": "sigs.k8s.io/crdify",
    "opm": "github.com/operator-framework/operator-registry",
}


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_a_family_has_the_version_that_its_go_mod_requires(family: Family) -> None:
    required = re.search(rf"{MODULES[family.name]} v(\S+)", (family.module / "go.mod").read_text())

    assert required is not None
    assert required[1] == family.version


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_every_program_is_a_tool_of_its_go_mod(family: Family) -> None:
    go_mod = (family.module / "go.mod").read_text()

    assert [program.name for program in family.programs if program.package not in go_mod] == []


def test_kubernetes_is_told_its_version() -> None:
    kubernetes = next(family for family in FAMILIES if family.name == "kubernetes")

    assert "version.gitVersion=v1.35.4" in kubernetes.ldflags
    assert "version.gitMinor=35" in kubernetes.ldflags
    assert kubernetes.minor == "1.35"


@pytest.mark.parametrize(
    ("environ", "want"),
    [({}, True), ({"KSERVE": ""}, True), ({"KSERVE": "1"}, True), ({"KSERVE": "0"}, False)],
    ids=["unset", "empty", "KSERVE=1", "KSERVE=0"],
)
def test_kserve_is_wanted_unless_the_environment_says_no(environ: dict[str, str], want: bool) -> None:
    assert kserve_wanted(environ) is want
    assert (KSERVE in wanted_families(environ)) is want
    assert wanted_families(environ)[: len(FAMILIES)] == FAMILIES
