"""How a claim's place is chosen: what is asked, in which order."""

from handbook.drawings.svg import Picture


def placing() -> Picture:
    """Snapshot, node checks, partition checks, scores, and what follows from each outcome."""
    picture = Picture(
        "placing",
        860,
        300,
        "How placement decides",
        "All waiting claims, by priority and then age, on one frozen snapshot. Node checks and partition checks leave "
        "candidates out, each with its reason. Of those that pass, the policy's scorer takes the one by which least "
        "is lost for what is expected to come. Nobody passed: others of lower priority leave, or a mode is changed, or "
        "the claim waits and is told the nearest change.",
    )
    picture.box(10, 20, 150, 92, ("Waiting claims", "higher priority,", "then older", "one frozen snapshot"), "blue")
    picture.box(
        200,
        20,
        180,
        92,
        ("Node checks", "fresh inventory, policy,", "Ready, taints, affinity,", "CPU and memory"),
        "amber",
    )
    picture.box(
        420,
        20,
        190,
        92,
        ("Partition checks", "mode, size, precision,", "health, quota, held,", "kept for somebody"),
        "amber",
    )
    picture.box(
        650, 20, 200, 92, ("Scores", "the policy's scorer:", "least lost for what is", "expected to come"), "green"
    )
    for x in (160, 380, 610):
        picture.arrow((x + 1, 66), (x + 39, 66))
    picture.box(650, 190, 200, 80, ("Place", "status, ResourceClaim,", "one patch opens the gate"), "green")
    picture.arrow((750, 113), (750, 189))
    picture.box(420, 190, 190, 80, ("Others leave", "lower priority, or", "borrowed quota; budgets"), "violet")
    picture.box(200, 190, 180, 80, ("A mode changes", "idle GPUs first,", "as policies allow"), "violet")
    picture.box(10, 190, 150, 80, ("Waits", "reasons counted,", "nearest change tried"), "red")
    picture.arrow((515, 113), (515, 150), (515, 189), says="nobody passed", at=(568, 140))
    picture.arrow((419, 230), (381, 230))
    picture.arrow((199, 230), (161, 230))
    return picture
