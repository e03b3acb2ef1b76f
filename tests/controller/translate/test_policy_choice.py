from typing import Any

import pytest

from api.v1beta1 import GPUSharingPolicy
from controller.placement.demand import Demand
from controller.translate.policy_choice import REASONS, refuse_choice
from tests.builders.demand import demand
from tests.builders.policy import policy_object

OURS = {"team": "a"}


def policies(*objects: dict[str, object]) -> list[GPUSharingPolicy]:
    return [GPUSharingPolicy.model_validate(obj) for obj in objects]


def classes(*names: str) -> dict[str, Any]:
    return {"qosClasses": [{"name": name, "rank": rank} for rank, name in enumerate(names)]}


HERE = policy_object("gold", namespace_labels=OURS, **classes("fast", "slow"))
EVERYWHERE = policy_object("base", **classes("any"))
SECRET = policy_object("others-secret", namespace_labels={"team": "b"}, **classes("theirs"))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param(demand(), [SECRET], id="nothing asked"),
        pytest.param(demand(policy="gold"), [HERE, SECRET], id="a policy for the namespace"),
        pytest.param(demand(policy="base"), [EVERYWHERE], id="a policy for every namespace"),
        pytest.param(demand(policy="gold", qos_class="slow"), [HERE], id="a class of the policy named"),
        pytest.param(demand(qos_class="slow"), [HERE, EVERYWHERE], id="a class of one for the namespace"),
        pytest.param(demand(qos_class="any"), [HERE, EVERYWHERE], id="a class of the other one"),
        pytest.param(demand(qos_class="batch"), [], id="a class that holds without a policy"),
        pytest.param(demand(qos_class="batch"), [SECRET], id="the same when all policies are for others"),
    ],
)
def test_what_can_be_had_is_not_refused(asked: Demand, given: list[dict[str, object]]) -> None:
    assert refuse_choice(asked, OURS, policies(*given)) is None


@pytest.mark.parametrize(
    ("asked", "given", "want_reason", "want_words"),
    [
        pytest.param(
            demand(policy="golt"),
            [HERE, EVERYWHERE, SECRET],
            "PolicyNotFound",
            ["aim.amd.com/policy: 'golt'", "choose base or gold, or leave it out"],
            id="no such policy",
        ),
        pytest.param(demand(policy="gold"), [], "PolicyNotFound", [": leave it out"], id="no policy at all"),
        pytest.param(
            demand(policy="others-secret"),
            [HERE, SECRET],
            "PolicyNotForNamespace",
            ["aim.amd.com/policy: 'others-secret'", "namespace team-a", "choose gold"],
            id="a policy for others",
        ),
        pytest.param(
            demand(policy="golt", of_service=True),
            [HERE],
            "PolicyNotFound",
            ["spec.gpuSharing.policyRef: 'golt'"],
            id="asked by a service",
        ),
        pytest.param(
            demand(policy="gold", qos_class="any"),
            [HERE, EVERYWHERE],
            "QoSClassNotFound",
            ["aim.amd.com/qos-class: 'any'", "policy gold:", "choose one of fast, slow"],
            id="a class of another policy than named",
        ),
        pytest.param(
            demand(qos_class="theirs"),
            [HERE, EVERYWHERE, SECRET],
            "QoSClassNotFound",
            ["policy base and gold", "choose one of any, fast, slow"],
            id="a class of a policy for others",
        ),
        pytest.param(
            demand(qos_class="fast", of_service=True),
            [SECRET],
            "QoSClassNotFound",
            ["spec.qos.class: 'fast'", "built in", "choose one of realtime, standard, batch"],
            id="not one of those without a policy",
        ),
        pytest.param(
            demand(policy="none", qos_class="batch"),
            [policy_object("none", qosClasses=[])],
            "QoSClassNotFound",
            ["leave it out"],
            id="a policy without classes",
        ),
    ],
)
def test_what_cannot_be_had_is_named_with_its_remedy_and_nothing_of_others(
    asked: Demand, given: list[dict[str, object]], want_reason: str, want_words: list[str]
) -> None:
    refused = refuse_choice(asked, OURS, policies(*given))
    assert refused is not None
    assert (refused.reason, refused.reason in REASONS) == (want_reason, True)
    for words in want_words:
        assert words in refused.message
    told_by_others = {"others-secret", "theirs"} - {asked.policy, asked.qos_class}
    assert not any(word in refused.message for word in told_by_others)
