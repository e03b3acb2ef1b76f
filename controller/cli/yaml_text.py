"""Documents for programs as YAML."""

from typing import Any, Final

import yaml

#: Characters, as of tables that go to a file.
_WIDTH: Final = 160
#: libyaml writes ten times as fast; a package that was built without it still writes.
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def as_yaml(document: Any) -> str:
    """Plain values as YAML, keys in their order. It ends with a line's end."""
    text: str = yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
