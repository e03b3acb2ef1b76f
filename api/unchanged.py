"""Fields that stay as they were written, as CEL rules over the old and the new object."""

from collections.abc import Iterable

from api.markers import Rule


def unchanged(remedy: str, required: Iterable[str], optional: Iterable[str] = ()) -> Rule:
    """The rule that none of these fields (JSON names) changes; its message names those that did, then ``remedy``.

    ``required`` are fields that are always there, by the schema or by a default.
    """
    changed = [_if(f"self.{name} != oldSelf.{name}", name) for name in required]
    changed += [
        _if(
            f"has(self.{name}) != has(oldSelf.{name}) || has(self.{name}) && self.{name} != oldSelf.{name}",
            name,
        )
        for name in optional
    ]
    names = f"[{', '.join(changed)}].filter(name, name != '')"
    return Rule(
        f"size({names}) == 0",
        f"a field changed that stays as it was written: {remedy}",
        f"'%s cannot be changed: {remedy}'.format([{names}])",
    )


def _if(condition: str, name: str) -> str:
    return f"({condition}) ? '{name}' : ''"
