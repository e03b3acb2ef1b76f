"""Values as people have them: each must render, and the API server must take every object of it."""

from typing import Any, Final

SETS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "repartition": {
        "agent": {"mode": "repartition", "rocm": {"hostPath": "/opt/rocm-6.4.1", "minimumVersion": "6.4.1"}}
    },
    "repartition, any ROCm": {"agent": {"mode": "repartition", "rocm": {"minimumVersion": ""}}},
    "simulate": {
        "agent": {"mode": "simulate", "simulated": {"gpus": 2, "extraArgs": ["--time-scale=0"]}},
        "deviceClass": {"create": True},
    },
    "another kubelet's folder": {"agent": {"kubelet": {"rootDir": "/data/kubelet/"}}},
    "no agents": {"agent": {"enabled": False}},
    "cert-manager": {
        "webhook": {"certs": {"mode": "certManager", "issuerRef": {"kind": "ClusterIssuer", "name": "ours"}}}
    },
    "cert-manager, self-signed": {"webhook": {"certs": {"mode": "certManager"}}},
    "a Secret of one's own": {"webhook": {"certs": {"mode": "existingSecret", "existingSecret": "hook.certificate"}}},
    "everything": {
        "gateway": {"enabled": True, "keyNamespaces": ["team-a", "aim-gpu-gateway"], "autoscaling": {"enabled": True}},
        "exporter": {"enabled": True, "gatewayTells": "services"},
        "ui": {"enabled": True, "tls": {"certManager": True, "dnsNames": ["map.example.org"]}},
        "monitoring": {
            "serviceMonitor": {
                "enabled": True,
                "readerSubjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"}],
            },
            "prometheusRule": {"enabled": True},
            "dashboards": {"enabled": True},
        },
        "openshift": {"scc": True},
    },
    "nothing that can be left out": {
        "crds": {"install": False},
        "deviceClass": {"create": False},
        "guards": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "kserve": {"enabled": False},
        "rbac": {"aggregateRoles": False},
        "uninstall": {"releaseJob": False},
        "tests": {"enabled": False},
        "operator": {"replicas": 1, "podDisruptionBudget": {"minAvailable": 0}},
    },
    "places, labels and a mirror": {
        "image": {
            "repository": "mirror.example:5000/aim/gpu-sharing",
            "digest": "sha256:" + "0123456789abcdef" * 4,
            "pullSecrets": [{"name": "mirror"}],
            "pullPolicy": "Always",
        },
        "commonLabels": {"example.com/team": "platform"},
        "operator": {
            "replicas": 3,
            "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
            "tolerations": [
                {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
            ],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "aim-gpu-operator"}},
                }
            ],
            "podDisruptionBudget": {"minAvailable": "50%"},
            "podAnnotations": {"example.com/note": "kept"},
            "podLabels": {"example.com/tier": "control"},
            "extraArgs": ["--log-level=debug"],
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
            "affinity": {"nodeAffinity": {}},
        },
        "agent": {
            "podAnnotations": {"example.com/note": "kept"},
            "podLabels": {"example.com/tier": "node"},
            "extraArgs": ["--log-level=debug"],
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
        },
    },
}
