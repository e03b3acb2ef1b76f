"""``aim-gpu approve``: let a plan run, after a look at what it does."""

from typing import Annotated, Any

import typer

from api.v1beta1 import RepartitionPlan
from controller.cli.cluster import Cluster, confirm
from controller.cli.cluster_options import Context, Kubeconfig, Yes
from controller.cli.given_names import object_name
from controller.cli.output import Form, Output, failed, looked_only, note, print_document, refuse
from controller.cli.plan_view import document, show, view_of
from controller.cli.plans import ROUNDS, patch_spec, read_plan
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase


def approve(
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
    """Let a RepartitionPlan run: shows GPUs before and after and the pods that have to move, and asks.

    With -o json or yaml nobody is asked: without --yes it is shown alone, and the exit code is 3.
    """
    found = _approved(Cluster(kubeconfig, context, f"approve plan {plan}"), plan, output, yes=yes)
    if output.for_programs:
        print_document(_document(found, approved=True), output)
    note(f"plan {plan} is approved: kubectl get rpp {plan} -w follows it")


def _approved(cluster: Cluster, name: str, output: Output, *, yes: bool) -> RepartitionPlan:
    agreed = None
    for _ in range(ROUNDS):
        plan = read_plan(cluster, name)
        _refuse_what_cannot_be_approved(plan)
        if plan.spec.approved:
            return plan
        if output.for_programs and not yes:
            raise looked_only(_document(plan, approved=False), output)
        view = view_of(plan)
        if view.effect != agreed:  # also when it does something else by now than what was agreed to
            if not output.for_programs:
                show(view, output)
            if not confirm(f"Let plan {name} change node {view.node}?", yes=yes):
                raise failed(f"plan {name} is not approved; nothing was changed")
            agreed = view.effect
        approved = patch_spec(cluster, plan, {"approved": True})
        if approved is not None:
            return approved
    raise failed(f"plan {name} changes all the time; look at it (kubectl get rpp {name} -o yaml) and try again")


def _document(plan: RepartitionPlan, *, approved: bool) -> dict[str, Any]:
    return document(view_of(plan)) | {"approved": approved, "phase": plan.status.phase.value}


def _refuse_what_cannot_be_approved(plan: RepartitionPlan) -> None:
    name, phase = plan.metadata.name, Phase(plan.status.phase)
    if plan.spec.dry_run:
        refuse(f"plan {name} is a dry run, which changes nothing: create it again without dryRun")
    if phase in TERMINAL:
        raise failed(f"plan {name} has ended ({phase}): {plan.status.message}")
    if plan.spec.rollback:
        raise failed(f"plan {name} is being taken back; create another plan")
    if phase in NOT_BEGUN and plan.status.observed_generation is None and not plan.spec.approved:
        raise failed(f"the operator has not looked at plan {name} yet, so nobody knows who has to move; try again")
