"""``aim-gpu plan`` without a cluster: what would become of files on empty nodes, by what the operator decides with."""

from collections.abc import Sequence
from pathlib import Path

from controller.cli.box_table import write_box
from controller.cli.documents import BadInput, parse_yaml, read_text
from controller.cli.offline_nodes import default_nodes, parse_nodes
from controller.cli.offline_plan import expect
from controller.cli.offline_plan_view import document, page, summary
from controller.cli.output import Output, note, page_width, print_document, refuse
from controller.cli.priorities import unknown
from controller.cli.wanted import Wanted
from controller.sizing.catalog import Catalog
from controller.state.models import Models


def plan_on_paper(wanted: Wanted, nodes: Path | None, output: Output) -> Sequence[str]:
    """Decide on nodes of a file, three of eight MI300X without one, and show it. Bad files end the command (exit 2).

    Gives the keys of services of which a pod would wait.
    """
    try:
        chosen = default_nodes() if nodes is None else parse_nodes(nodes, parse_yaml(nodes, read_text(nodes)))
    except BadInput as error:
        refuse(str(error))
    if nodes is None:
        note(f"no --nodes given, taken are {', '.join(map(str, chosen))}")
    for text in unknown(wanted.workloads, wanted.classes):
        note(text)
    expected = expect(wanted, chosen, Models(Catalog.bundled(), wanted.profiles))
    if output.for_programs:
        print_document(document(expected, chosen), output)
    else:
        write_box(page(expected, page_width(output), wide=output is Output.WIDE))
        note(summary(expected))
    return expected.waiting
