"""What each verb is for, as the list of verbs tells it. A test compares them with what the verbs say of themselves.

They stand here, so that no verb has to be imported for the list: all of them together take more than a second.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "size": "Show what a model needs, part by part, and the partitions that hold it.",
        "profiles": "AIM profiles of models on GPU partitions: calculated, not measured.",
        "inventory": "Show the GPUs of this node: product, mode and partitions, as the driver's files or AMD SMI tell "
        "them.",
        "crds": "Print the CustomResourceDefinitions of all kinds as YAML documents.",
        "plan": "Show where each service would go, which modes would change for it, and what would wait and why.",
        "explain": "Say why a claim, pod, service or node stands as it does: candidates, refusals, the nearest change, "
        "history.",
        "top": "Show the fleet: nodes, their GPUs and partitions, memory asked for and used, who holds what, and "
        "health.",
        "simulate": "Let the pods of a trace arrive on its nodes and tell how much of the GPUs was allocated.",
        "approve": "Let a RepartitionPlan run: shows GPUs before and after and the pods that have to move, and asks.",
        "rollback": "Take a RepartitionPlan back: one under way is stopped, for one that succeeded a plan the other "
        "way is made.",
        "drain": "Cordon a node and evict the pods that hold its GPU partitions, within their disruption budgets.",
        "diagnose": "Write a support bundle: our objects, nodes, pods with partitions, events, logs, versions, "
        "conditions.",
        "release": "Lift the gates, the webhooks and the guards, so that nothing waits for an operator that is gone.",
        "completion": "Print the completion of a shell: it completes verbs, options, values, and names of the "
        "cluster's objects.",
        "rocm": "Tell which ROCm a folder holds; exit code 1 where there is none, or one older than asked for.",
        "ui": "Serve a live map of GPUs, partitions, waiting claims and plans to this machine, until Ctrl-C. Changes "
        "nothing.",
        "agent": "Run the agent of this node, or those of simulated nodes, until told to end.",
        "exporter": "Tell of the requests of services without the gateway, by what their engines say, until it is told "
        "to end.",
        "gateway": "Run the gateway until it is told to end.",
        "operator": "Run the operator until it is told to end.",
        "ui-server": "Serve the live map in a cluster: who bears a token of the cluster sees what they may list, until "
        "told to end.",
    }
)
