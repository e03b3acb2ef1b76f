"""The processes, and who speaks with whom."""

from handbook.drawings.svg import Picture


def processes() -> Picture:
    """The API server in the middle; nobody speaks with anybody else but the gateway with engines."""
    picture = Picture(
        "processes",
        860,
        400,
        "Processes, and who speaks with whom",
        "People and Git write services, policies and approvals to the API server. The operator reads everything there "
        "and decides; its webhooks are called by the API server. One agent a node reports GPUs and changes modes. "
        "Scheduler and kubelet start pods. The gateway reads services and pods, and is the only one through which "
        "requests reach engines. The exporter reads engines' metrics.",
    )
    picture.box(330, 20, 200, 56, ("People, Git", "kubectl, aim-gpu"), "plain")
    picture.box(300, 150, 260, 66, ("Kubernetes API server", "all state: objects, status, Leases"), "blue")
    picture.box(20, 140, 200, 86, ("Operator", "two replicas, one leads", "decides; webhooks"), "amber")
    picture.box(640, 140, 200, 86, ("Agents", "one a GPU node", "inventory, mode changes"), "amber")
    picture.box(20, 300, 200, 76, ("Gateway", "OpenAI's API; queues,", "guarantees, objectives"), "violet")
    picture.box(330, 300, 200, 76, ("Engines", "pods with a partition"), "green")
    picture.box(640, 300, 200, 76, ("GPUs", "modes, partitions"), "green")
    picture.arrow((430, 77), (430, 149))
    picture.arrow((221, 175), (299, 175), says="watch, write")
    picture.arrow((299, 205), (221, 205), says="admission", at=(260, 221))
    picture.arrow((639, 175), (561, 175), says="report")
    picture.arrow((561, 205), (639, 205), says="operation", at=(600, 221))
    picture.arrow((740, 227), (740, 299), says="sets modes", at=(782, 268))
    picture.arrow((430, 217), (430, 299), says="scheduler, kubelet", at=(490, 262))
    picture.arrow((221, 338), (329, 338), says="requests")
    picture.arrow((120, 299), (120, 262), (330, 262), (330, 217), says="who is an engine", at=(225, 256))
    picture.arrow((531, 338), (639, 338), says="one partition")
    return picture
