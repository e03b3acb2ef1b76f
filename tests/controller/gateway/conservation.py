"""What has to be true once nothing is under way: every seat is back, and every request had one outcome."""

from controller.gateway.gateway import Gateway


def left_over(gateway: Gateway) -> list[str]:
    """What is still taken, queued or waited for, a sentence each; also while the last answers are on their way."""
    qos = gateway.statistics().qos
    found = [f"{one.partition} has {one.in_flight} seats taken" for one in qos.partitions.values() if one.in_flight]
    for key, model in qos.models.items():
        ended = model.completed + model.cancelled + sum(model.refused.values())
        if model.in_flight or any(model.queued.values()):
            found.append(f"{key} has {model.in_flight} in flight and {dict(model.queued)} queued")
        if model.arrived != ended:
            found.append(f"{key}: {model.arrived} came and {ended} ended")
    waiting = {uid: len(pool._waiting) for uid, pool in gateway.pools.items() if pool._waiting}
    found += [f"{count} requests wait for a connection to {uid}" for uid, count in waiting.items()]
    if gateway.held_bodies:
        found.append(f"{gateway.held_bodies} bytes of bodies are still counted")
    return found


def uncounted(gateway: Gateway) -> list[str]:
    """Services of which not every request had one outcome counted."""
    found = []
    for key, model in gateway.statistics().qos.models.items():
        counted = sum(sum(table.outcomes.values()) for (name, _), table in gateway.tables.items() if name == key)
        if model.arrived != counted:
            found.append(f"{key}: {model.arrived} came and {counted} outcomes were counted")
    return found


def conserved(gateway: Gateway) -> bool:
    """Whether everything is as it has to be."""
    return not left_over(gateway) and not uncounted(gateway)
