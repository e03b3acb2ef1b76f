"""The programs a plane consists of: where each comes from, at which version, and how long a build takes.

A family is one Go module under `tools/`; its programs are built from one set of locked dependencies. The versions
here are those of the `go.mod` files (a test compares them).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parent / "tools"

_KUBERNETES = "1.35.4"


@dataclass(frozen=True, slots=True)
class Program:
    """One binary: its file name, its Go package, and the wall time of a cold build on two cores, in seconds.

    The time includes the download of modules and what the earlier programs of the family already compiled.
    """

    name: str
    package: str
    typical_seconds: int


@dataclass(frozen=True, slots=True)
class Manifests:
    """YAML files of a Go module that its programs need on the API server, kept as one JSON file beside them.

    `files` are paths inside `module`. JSON, because a plane starts in less time than it takes to read megabytes of
    CRDs as YAML.
    """

    name: str
    module: str
    files: tuple[str, ...]
    typical_seconds: int


@dataclass(frozen=True, slots=True)
class Family:
    """Programs that share a Go module, in the folder `folder` (else `name`) of `parent`, and what is copied for them.

    `version` is a plain semantic version, without the leading v; `tags` are build tags.
    """

    name: str
    version: str
    programs: tuple[Program, ...]
    ldflags: str = "-s -w"
    parent: Path = TOOLS
    manifests: Manifests | None = None
    tags: tuple[str, ...] = ()
    folder: str = ""

    @property
    def products(self) -> tuple[Program | Manifests, ...]:
        """Everything that a build leaves in the cache, in the order in which it is made."""
        return self.programs if self.manifests is None else (*self.programs, self.manifests)

    @property
    def minor(self) -> str:
        """Major and minor, such as "1.35": what a binary that was built elsewhere must share."""
        return ".".join(self.version.split(".")[:2])

    @property
    def module(self) -> Path:
        """The folder that holds the family's go.mod and go.sum."""
        return self.parent / (self.folder or self.name)


def _stamp(version: str) -> str:
    """Linker flags that write the version: built as a dependency, Kubernetes calls itself v0.0.0-master."""
    variables = "k8s.io/component-base/version"
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {variables}.{key}={value}" for key, value in values.items())])


FAMILIES = (
    Family("etcd", "3.6.16", (Program("etcd", "go.etcd.io/etcd/server/v3", 35),)),
    Family("kwok", "0.8.0", (Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", 55),)),
    Family(
        "kubernetes",
        _KUBERNETES,
        (
            Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 150),
            Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", 40),
            Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 5),
        ),
        _stamp(_KUBERNETES),
    ),
)
"""What every plane consists of."""

_CRDS = "config/crd/full"
_LLM_CRDS = "config/crd/minimal/llmisvc"  # v1alpha2 is as in the full ones, only v1alpha1 has no schema: half the size
_LLM_PRESETS = (
    "decode-template",
    "decode-worker-data-parallel",
    "prefill-template",
    "prefill-worker-data-parallel",
    "router-route",
    "scheduler",
    "scheduler-latency-predictor",
    "template",
    "tracing",
    "worker-data-parallel",
)

KSERVE = Family(
    "kserve",
    "0.20.0",
    (
        Program("kserve-manager", "github.com/kserve/kserve/cmd/manager", 200),
        Program("kserve-llmisvc", "github.com/kserve/kserve/cmd/llmisvc", 15),
    ),
    manifests=Manifests(
        "kserve-manifests.json",
        "github.com/kserve/kserve",
        (
            f"{_CRDS}/serving.kserve.io_inferenceservices.yaml",
            f"{_CRDS}/serving.kserve.io_trainedmodels.yaml",
            f"{_CRDS}/serving.kserve.io_clusterservingruntimes.yaml",
            f"{_CRDS}/serving.kserve.io_servingruntimes.yaml",
            f"{_CRDS}/serving.kserve.io_inferencegraphs.yaml",
            f"{_CRDS}/clusterstoragecontainer/serving.kserve.io_clusterstoragecontainers.yaml",
            "config/configmap/inferenceservice.yaml",
            "config/rbac/role.yaml",
            "config/webhook/manifests.yaml",
            f"{_LLM_CRDS}/serving.kserve.io_llminferenceservices.yaml",
            f"{_LLM_CRDS}/serving.kserve.io_llminferenceserviceconfigs.yaml",
            "config/rbac/llmisvc/role.yaml",
            "config/webhook/llmisvc/manifests.yaml",
            *(f"config/llmisvcconfig/config-llm-{preset}.yaml" for preset in _LLM_PRESETS),
        ),
        typical_seconds=5,
    ),
)
"""KServe's controllers, for `Plane(kserve=True)`: never built unless asked for."""


KUBELET = Family(
    "kubelet",
    _KUBERNETES,
    (
        Program("kubelet", "k8s.io/kubernetes/cmd/kubelet", 60),
        Program("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", 10),
    ),
    _stamp(_KUBERNETES),
    folder="kubernetes",
)
_CONTAINERD = "2.2.9"
_CONTAINERD_COMMANDS = "github.com/containerd/containerd/v2/cmd"
CONTAINERD = Family(
    "containerd",
    _CONTAINERD,
    (
        Program("containerd", f"{_CONTAINERD_COMMANDS}/containerd", 60),
        Program("containerd-shim-runc-v2", f"{_CONTAINERD_COMMANDS}/containerd-shim-runc-v2", 10),
        Program("ctr", f"{_CONTAINERD_COMMANDS}/ctr", 10),
    ),
    f"-s -w -X github.com/containerd/containerd/v2/version.Version=v{_CONTAINERD}",
    # snapshotters that need C libraries or a file system of their own, and spans that nobody reads
    tags=("no_btrfs", "no_zfs", "no_devmapper", "no_tracing"),
)

COREDNS = Family("coredns", "1.15.0", (Program("coredns", ".", 70),))

_HELM = "3.20.0"
_HELM_MODULE = "helm.sh/helm/v3"


def _helm_flags(version: str, kubernetes: str) -> str:
    """Linker flags: Helm's own version, and the Kubernetes for which it renders and lints where no cluster is asked."""
    major, minor, _ = kubernetes.split(".")
    flags = ["-s -w", f"-X {_HELM_MODULE}/internal/version.version=v{version}"]
    for package in ("chartutil", "lint/rules"):
        name = f"-X {_HELM_MODULE}/pkg/{package}"
        flags += [f"{name}.k8sVersionMajor={major}", f"{name}.k8sVersionMinor={minor}"]
    return " ".join(flags)


HELM = Family("helm", _HELM, (Program("helm", f"{_HELM_MODULE}/cmd/helm", 90),), _helm_flags(_HELM, _KUBERNETES))
"""Renders our chart; no part of a plane."""

OPERATOR_VERIFY = Family(
    "operator-verify",
    "0.41.0",
    (
        Program("operator-verify", "github.com/operator-framework/api/cmd/operator-verify", 60),
        Program("bundle-findings", ".", 5),
    ),
)
"""Judges our bundle for OLM, the second by more checks than the first; no part of a plane."""

OPM = Family(
    "opm",
    "1.60.0",
    (Program("opm", "github.com/operator-framework/operator-registry/cmd/opm", 150),),
    # catalogues are files: neither signatures by a C library nor storage drivers of images
    tags=("containers_image_openpgp", "exclude_graphdriver_btrfs", "exclude_graphdriver_devicemapper"),
)
"""Renders, validates and serves our catalogue for OLM; no part of a plane."""

_OLM_MODULE = "github.com/operator-framework/operator-lifecycle-manager"
_OLM_KINDS = (
    "catalogsources",
    "clusterserviceversions",
    "installplans",
    "olmconfigs",
    "operatorconditions",
    "operatorgroups",
    "operators",
    "subscriptions",
)
OLM = Family(
    "operator-lifecycle-manager",
    "0.38.0",
    (Program("olm", f"{_OLM_MODULE}/cmd/olm", 120), Program("catalog", f"{_OLM_MODULE}/cmd/catalog", 20)),
    manifests=Manifests(
        "olm-manifests.json",
        _OLM_MODULE,
        tuple(f"deploy/chart/crds/0000_50_olm_00-{kind}.crd.yaml" for kind in _OLM_KINDS),
        typical_seconds=2,
    ),
    tags=OPM.tags,
)
"""OLM's own controllers, which install our bundle on a plane; built only where that is asked for."""

CRDIFY = Family("crdify", "0.5.0", (Program("crdify", "sigs.k8s.io/crdify", 60),))
"""Judges new CRDs by what OLM v1 judges them by; no part of a plane."""

NODE_FAMILIES = (KUBELET, CONTAINERD, COREDNS)
"""What a real node needs besides, for `Plane(real_nodes=1)`."""


def kserve_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether KServe is to take part where it can: yes, unless the environment says `KSERVE=0`."""
    return environ.get("KSERVE", "") != "0"


def wanted_families(environ: Mapping[str, str] = os.environ) -> tuple[Family, ...]:
    """The families of a plane, with KServe's if it is wanted."""
    return (*FAMILIES, KSERVE) if kserve_wanted(environ) else FAMILIES


def programs(families: Sequence[Family] = FAMILIES) -> Iterator[tuple[Family, Program]]:
    """Every program with its family, in the order in which they are built."""
    for family in families:
        for program in family.programs:
            yield family, program
