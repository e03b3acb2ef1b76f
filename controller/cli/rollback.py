"""``aim-gpu rollback``: take a plan back, while it is under way or after it succeeded."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from api.object import dump
from api.v1beta1 import GPUNode, RepartitionPlan
from controller.cli.cluster import Cluster, confirm
from controller.cli.cluster_options import Context, Kubeconfig, Yes
from controller.cli.given_names import object_name
from controller.cli.output import Form, Output, failed, looked_only, note, print_document, refuse
from controller.cli.plan_view import document, show, view_of
from controller.cli.plans import ROUNDS, patch_spec, read_plan
from controller.cli.reverse_plan import in_use, moved_on, reverse_names, reverse_of
from controller.repartition.phases import HARDWARE, TERMINAL, Phase
from controller.runtime.client.errors import AlreadyExists, NotFound
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: a sentence, and the plan that does the rest."""

    sentence: str
    plan: RepartitionPlan


def rollback(
    plan: Annotated[
        str,
        typer.Argument(
            help="Name of the RepartitionPlan, as kubectl get rpp lists it.", show_default=False, callback=object_name
        ),
    ],
    yes: Yes = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Take a RepartitionPlan back: one under way is stopped, for one that succeeded a plan the other way is made.

    With -o json or yaml nobody is asked: without --yes it is shown alone, and the exit code is 3.
    """
    done = _taken_back(Cluster(kubeconfig, context, f"take plan {plan} back"), plan, output, yes=yes)
    if output.for_programs:
        print_document(_document(done.plan, plan, taken_back=True), output)
    note(done.sentence)


def _taken_back(cluster: Cluster, name: str, output: Output, *, yes: bool) -> Done:
    plan = read_plan(cluster, name)
    phase = Phase(plan.status.phase)
    if plan.spec.dry_run:
        refuse(f"plan {name} is a dry run, which changes nothing: there is nothing to take back")
    if phase is Phase.SUCCEEDED:
        from controller.state.plans import changes_modes  # as much to load as all the rest

        if not changes_modes(plan):
            refuse(f"plan {name} moved pods and changed no mode: there is nothing to take back")
        return _reversed(cluster, plan, output, yes=yes)
    _refuse_ended(plan)
    if plan.spec.rollback or phase is Phase.ROLLING_BACK:
        return Done(f"plan {name} is being taken back already", plan)
    if output.for_programs and not yes:
        raise looked_only(_document(plan, name, taken_back=False), output)
    if not confirm(f"Stop plan {name}, which is {phase}, and take it back?", yes=yes):
        raise failed(f"plan {name} goes on; nothing was changed")
    return _stopped(cluster, plan)


def _document(plan: RepartitionPlan, takes_back: str, *, taken_back: bool) -> dict[str, Any]:
    """`taken_back`: whether it was ordered, now or before."""
    told = {"takesBack": takes_back, "takenBack": taken_back, "phase": plan.status.phase.value}
    return document(view_of(plan)) | told


def _refuse_ended(plan: RepartitionPlan) -> None:
    if Phase(plan.status.phase) not in TERMINAL:
        return
    remedy = next((found.message for found in plan.status.conditions if found.type == "Degraded"), "")
    ended = f"plan {plan.metadata.name} has ended ({plan.status.phase.value}), there is nothing to stop"
    raise failed(f"{ended}: {remedy or plan.status.message}")


def _stopped(cluster: Cluster, plan: RepartitionPlan) -> Done:
    name = plan.metadata.name
    for _ in range(ROUNDS):
        stopped = patch_spec(cluster, plan, {"rollback": True})
        if stopped is not None:
            begun = Phase(stopped.status.phase) in HARDWARE
            then = f"its GPUs go back: kubectl get rpp {name} -w follows it" if begun else "no GPU was changed"
            return Done(f"plan {name} is stopped; {then}", stopped)
        plan = read_plan(cluster, name)
        _refuse_ended(plan)
    raise failed(f"plan {name} changes all the time; look at it (kubectl get rpp {name} -o yaml) and try again")


def _reversed(cluster: Cluster, plan: RepartitionPlan, output: Output, *, yes: bool) -> Done:
    name, node = plan.metadata.name, _node(cluster, plan)
    changed = moved_on(plan, node)
    if changed is not None:
        raise failed(f"plan {name} cannot be taken back: {changed}; something else changed it since")
    if not output.for_programs:
        show(view_of(reverse_of(plan, name)), output, held=in_use(plan, node))
    elif not yes:
        wanted = _document(reverse_of(plan, reverse_names(name)[0]), name, taken_back=False)
        raise looked_only(wanted | {"partitionsInUse": in_use(plan, node)}, output)
    if not confirm(f"Change node {plan.spec.node} back to what it was before plan {name}?", yes=yes):
        raise failed(f"plan {name} is not taken back; nothing was changed")
    return _created(cluster, plan)


def _node(cluster: Cluster, plan: RepartitionPlan) -> GPUNode:
    try:
        found = cluster.ask(lambda client: client.get(GPU_NODES, plan.spec.node), expect=(NotFound,))
    except NotFound as error:
        gone = f"GPUNode {plan.spec.node} is gone"
        raise failed(f"plan {plan.metadata.name} cannot be taken back: {gone}") from error
    return GPUNode.model_validate(found)


def _created(cluster: Cluster, plan: RepartitionPlan) -> Done:
    name = plan.metadata.name
    for back in reverse_names(name):
        made = _create(cluster, reverse_of(plan, back))
        if made is not None:
            then = f"once windows, budgets and the node's rest allow it: kubectl get rpp {back} -w follows it"
            return Done(f"plan {back} takes {name} back, {then}", made)
        there = read_plan(cluster, back)
        if Phase(there.status.phase) not in TERMINAL:
            return Done(f"plan {back} takes {name} back already", there)
        # It failed: the GPUs are still as the plan left them.
    raise failed(f"plan {name} was tried to be taken back many times; see why the plans {name}-back* failed")


def _create(cluster: Cluster, plan: RepartitionPlan) -> RepartitionPlan | None:
    """The plan as it was made; None when there is one of its name."""
    try:
        made = cluster.ask(lambda client: client.create(REPARTITION_PLANS, dump(plan)), expect=(AlreadyExists,))
    except AlreadyExists:
        return None
    return RepartitionPlan.model_validate(made)
