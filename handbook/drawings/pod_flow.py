"""A pod's way to its partition, and who takes each step."""

from typing import Final

from handbook.drawings.svg import Picture

#: What happens, who does it, and what the claim says from then on.
STEPS: Final = (
    ("Admitted", "pod webhook", "gate, claim name", "blue"),
    ("Claimed", "operator", "memory, by sizing", "blue"),
    ("Placed", "operator", "a partition", "amber"),
    ("Bound", "operator", "pinned, gate open", "green"),
    ("Allocated", "the scheduler", "gave that device", "green"),
    ("Released", "pod ended", "partition is free", "plain"),
)


def pod_flow() -> Picture:
    """Six steps in a row; below them what happens where there is no place."""
    told = ", then ".join(f"{name} ({who}: {what})" for name, who, what, _ in STEPS)
    picture = Picture(
        "pod-flow",
        860,
        250,
        "A pod's way to its partition",
        f"{told}. Where no partition passes, the claim stays Pending and says why; the nearest change would place it, "
        "and a policy may let the operator make a RepartitionPlan for it.",
    )
    for number, (name, who, what, colour) in enumerate(STEPS):
        x = 10 + number * 142
        picture.box(x, 20, 128, 74, (name, who, what), colour)
        if number:
            picture.arrow((x - 14, 57), (x - 1, 57))
    picture.box(250, 150, 188, 74, ("Pending, and why", "condition Bound, Events,", "aim-gpu explain"), "red")
    picture.box(
        506, 150, 200, 74, ("RepartitionPlan", "where a policy allows it,", "approved by a person or not"), "violet"
    )
    picture.arrow((358, 95), (358, 149), says="no place", at=(392, 126))
    picture.arrow((439, 187), (505, 187))
    picture.arrow((606, 149), (606, 120), (386, 120), (386, 96), says="placed again", at=(540, 114))
    return picture
