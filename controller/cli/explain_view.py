"""An answer of `aim-gpu explain` as text of a given width. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any, Final

from api.quantity import parse_quantity
from controller.cli.box_table import box_table
from controller.placement.size_text import gib

Document = dict[str, Any]

#: An event's message on a page; in full it stands in the JSON.
_MOST_MESSAGE: Final = 300
#: Holders that a page names; all of them stand in the JSON.
_MOST_NAMES: Final = 12
_KEPT: Final = "What has a place keeps it. Were it placed anew now, it would wait:"
HELD_UP: Final = frozenset({"DividingFirst", "QuotaExceeded", "ResourceClaimRefused", "PinRefused", "WaitingForGate"})
"""Why a claim is not bound though a place is free for it: its own words say what it waits for."""


def page(document: Document, width: int) -> str:
    """The lines for people, none longer than `width` but words that are."""
    return "\n".join(line for text in _lines(document, width) for line in wrapped(text, width)) + "\n"


def wrapped(text: str, width: int) -> list[str]:
    """A line as lines of at most that width, the later ones indented; words and rows of tables stay whole."""
    if len(text) <= width or text[:1] in "┏┃┡│└":
        return [text]
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _lines(document: Document, width: int) -> Iterator[str]:
    if document["kind"] == "node":
        yield from _node(document, width)
        return
    alone = document["kind"] in ("claim", "pod")
    if not alone:
        yield from _service(document)
    for claim in document["claims"]:
        if alone or claim["allocation"] is None:
            yield from _claim(document, claim, width)
            yield from () if alone else ("",)
        else:
            yield f"claim {document['namespace']}/{claim['name']} {_has(claim)}"
    if document.get("moreClaims"):
        yield f"... and {document['moreClaims']} more claims"
    yield from _rights(document)
    yield from _history(document)


def _rights(document: Document) -> Iterator[str]:
    yield from document["notes"]
    missing = document.get("missingRights")
    if missing:
        yield ""
        names = ", ".join(each.removeprefix("list ") for each in missing)
        yield f"What the operator wrote is shown, not how it looks now: the right to list {names} is missing."


def _service(document: Document) -> Iterator[str]:
    claims = document["claims"]
    placed = sum(claim["allocation"] is not None for claim in claims)
    total = len(claims) + document.get("moreClaims", 0)
    yield f"{document['kind']} {document['namespace']}/{document['name']}: {placed} of {total} claims have a place"
    for condition in document["conditions"]:
        said = f"{condition['reason']} {condition['message'] or ''}"
        yield f"  {condition['type']} is {condition['status']}: {said}".rstrip()
    if not claims:
        yield "No pod of it takes part yet."
    yield ""


def _claim(document: Document, claim: Document, width: int) -> Iterator[str]:
    of_pod = f" of pod {claim['pod']}" if claim["pod"] else ""
    yield f"claim {document['namespace']}/{claim['name']}{of_pod}: {claim['phase']}"
    yield f"  asks for {_asked(claim)}"
    if claim["allocation"] is not None:
        yield f"  {_has(claim)}"
    if "group" in claim:
        yield from _group(claim["group"])
    if "lines" in claim:
        yield from [_KEPT] if claim["allocation"] is not None else []
        yield from claim["lines"]
        held = {"PartitionHeld", "NodeResourcesShort"} & {row["reason"] for row in claim["explanation"]["refusals"]}
        yield from _holders(claim["holders"]) if held else ()
    elif "candidates" in claim:
        yield from _candidates(claim, width)
    elif claim["written"] and ("group" not in claim or claim["allocation"] is None):
        yield from claim["written"].splitlines()
    else:
        yield from (f"  {each['type']} is {each['status']}: {each['message']}" for each in claim["conditions"])


def _group(group: Document) -> Iterator[str]:
    members, waiting, rest = group["members"], group["waiting"], group["left"]
    yield f"  share group {group['name']}: {len(members)} with a share, {len(waiting)} waiting"
    for each in members:
        units = f", compute units {each['computeUnits']}" if each["computeUnits"] is not None else ""
        yield f"  - pod {each['pod']} has {gib(each['bytes'])}{units}, {'ready' if each['ready'] else 'not ready'}"
    if rest is not None:
        units = f" and {rest['computeUnits']} compute units" if rest["computeUnits"] is not None else ""
        yield f"  - {gib(rest['bytes'])}{units} are left"
    for each in waiting:
        why = ": ".join(filter(None, (each["reason"], each["message"])))
        yield f"  - pod {each['pod']} waits{f': {why}' if why else ''}"


def _asked(claim: Document) -> str:
    asked, model = claim["requirement"], claim["model"]
    memory = asked.get("memory")
    count = asked.get("count", 1)
    many = "1 partition" if count == 1 else f"{count} partitions"
    size = f"{many} of {gib(parse_quantity(memory))}" if memory else "a partition of unknown size"
    modes = f" in {' or '.join(asked['modes'])}" if asked.get("modes") else ""
    if model is None:
        return size + modes
    figures = (model["precision"], _figure(model["maxModelLen"], "tokens"), _figure(model["maxConcurrency"], "at once"))
    told = ", ".join(filter(None, figures))
    return f"{size}{modes} for {model['id']}{f' ({told})' if told else ''}"


def _figure(figure: int | None, of_what: str) -> str:
    return "" if figure is None else f"{figure} {of_what}"


def _has(claim: Document) -> str:
    allocation = claim["allocation"]
    devices = [
        f"{each['bdf']}/{each['partition']} {each['mode']} {gib(each['bytes'])}" for each in allocation["devices"]
    ]
    what = ", ".join(devices) or (allocation.get("resource") or {}).get("name", "")
    return f"has {allocation['node']} {what} ({allocation['binding']}{_between(claim.get('locality'))})"


_BETWEEN: Final = {
    "gpu": "on one GPU",
    "xgmi": "on GPUs that xGMI links",
    "pcie": "on GPUs that are not known to be linked by xGMI",
}


def _between(locality: str | None) -> str:
    """What lies between several partitions; "" for one."""
    return f", {_BETWEEN[locality]}" if locality is not None else ""


def _candidates(claim: Document, width: int) -> Iterator[str]:
    allocation, now = claim["allocation"], claim["now"]
    if allocation is None and HELD_UP & {each["reason"] for each in claim["conditions"]}:
        yield from (claim["written"] or "").splitlines()
        yield f"As things are it would go to {_place(now)}."
    elif allocation is None:
        yield f"A place is free: {_place(now)}; the operator binds it when it looks next."
    elif allocation["node"] == now["node"]:
        yield f"Why there: {now['node']} is the best of {_nodes(claim)} with a place for it, now as well."
    else:
        best = f"now {_place(now)} would be the best of {_nodes(claim)}"
        yield f"Why there: it was the best when it was chosen; {best}. What is placed stays."
    rows = [_row(each, claim["scorers"]) for each in claim["candidates"]]
    heads = (
        "NODE",
        "PARTITION",
        "MODE",
        "SIZE",
        "LEFT OVER",
        "FREE ON GPU",
        *(f"BY {each}" for each in claim["scorers"]),
    )
    yield from box_table(heads, rows, width).splitlines()


def _nodes(claim: Document) -> str:
    count = claim["candidateNodes"]
    return "1 node" if count == 1 else f"{count} nodes"


def _row(each: Document, scorers: Sequence[str]) -> tuple[str, ...]:
    devices = each["devices"]
    named = f"{devices[0]['bdf']}/{devices[0]['partition']}" + (f" +{len(devices) - 1}" if len(devices) > 1 else "")
    size, left = gib(devices[0]["bytes"]), gib(each["leftOverBytes"])
    return (
        each["node"],
        named,
        each["mode"],
        size,
        left,
        str(each["freeOnGpu"]),
        *(str(each["ranks"].get(s, "-")) for s in scorers),
    )


def _place(place: Document) -> str:
    first, more = place["devices"][0], len(place["devices"]) - 1
    named = f"{first['bdf']}/{first['partition']}" + (f" and {more} more" if more else "")
    return f"{place['node']} {named} ({place['mode']}, {gib(first['bytes'])}{_between(place['locality'])})"


def _holders(found: Document) -> Iterator[str]:
    if not found["named"] and not found["unnamedPartitions"]:
        return
    yield "Held:"
    named = found["named"]
    yield from (f"- {_partitions(each['partitions'])} by {each['name']}" for each in named[:_MOST_NAMES])
    if len(named) > _MOST_NAMES:
        rest = sum(each["partitions"] for each in named[_MOST_NAMES:])
        yield f"- {_partitions(rest)} by {len(named) - _MOST_NAMES} more"
    if found["unnamedPartitions"]:
        yield f"- {_partitions(found['unnamedPartitions'])} by others, whose names you may not read"


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"


def _node(document: Document, width: int) -> Iterator[str]:
    node = document["node"]
    yield f"node {document['name']}"
    yield from (f"  {each['type']} is {each['status']}: {each['reason']}" for each in document["conditions"])
    if node is None:
        yield from _rights(document)
        return
    change = {"Auto": "changes modes by itself", "Manual": "changes modes with an approval"}.get(node["repartition"])
    yield f"  policy {node['policy'] or 'none'}: {change or 'modes stay as they are'}"
    left = node["left"]
    yield f"  left: {left['cpuMilli']}m CPU, {gib(left['memoryBytes'])} memory, {left['pods']} pods"
    yield from (f"  taint {taint}" for taint in node["taints"])
    yield from _taking(node["refusals"])
    heads = ("GPU", "PRODUCT", "MODE", "SIZE", "FREE", "OUT OF USE", "KEPT", "PLAN")
    yield from box_table(heads, [_gpu(gpu) for gpu in node["gpus"]], width).splitlines()
    if node["awaiting"]:
        yield f"Plan {node['awaiting']} waits for approval: aim-gpu approve {node['awaiting']}"
        told = [f"{what} {text}" for what, text in (node["awaitingFor"] or {}).items() if text]
        if told:
            yield f"- {'; '.join(told)}"
    yield from _holders(node["holders"])


def _taking(refusals: Sequence[Document]) -> Iterable[str]:
    if not refusals:
        return ["It takes pods."]
    return ["It takes no pods:", *(f"- {each['reason']}: {each['message']}" for each in refusals)]


def _gpu(gpu: Document) -> tuple[str, ...]:
    out = gpu["unhealthy"] + gpu["quarantined"]
    free = f"{gpu['free']} of {gpu['partitions']}"
    return (
        gpu["bdf"],
        gpu["product"],
        gpu["mode"],
        gib(gpu["bytes"]),
        free,
        str(out),
        str(gpu["reserved"]),
        gpu["plan"] or "-",
    )


def _history(document: Document) -> Iterator[str]:
    if document.get("history"):
        yield ""
        yield "History:"
    for event in document.get("history", ()):
        times = f" (x{event['count']})" if event["count"] > 1 else ""
        message = event["message"].replace("\n", " ")
        shown = message if len(message) <= _MOST_MESSAGE else message[: _MOST_MESSAGE - 3] + "..."
        yield f"  {event['time']} {event['type']} {event['reason']}{times} on {event['object']}: {shown}"
