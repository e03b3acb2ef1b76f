"""Numbers of things in words."""


def counted(count: int, noun: str) -> str:
    """A number of things: `1 pod`, `2 pods`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
