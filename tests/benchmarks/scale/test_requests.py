import json
from pathlib import Path

from e2e.run.processes import OPERATOR
from tests.benchmarks.scale.requests import POLICY, Part, answered, operators, writes

PAGE = """\
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="pods",subresource="status",verb="PATCH"} 3
apiserver_request_total{code="409",resource="pods",subresource="status",verb="PATCH"} 1
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 5
apiserver_request_total{code="404",resource="",subresource="",verb="GET"} 2
apiserver_request_terminations_total{code="200",resource="pods",subresource="",verb="GET"} 9
"""


def line(verb: str, resource: str, code: int = 200) -> str:
    reference = {"resource": resource}
    status = {"code": code}
    entry = {"user": {"username": OPERATOR}, "verb": verb, "objectRef": reference, "responseStatus": status}
    return json.dumps(entry | {"requestURI": "/x"}) + "\n"


def test_the_api_servers_count_is_by_verb_and_resource() -> None:
    assert answered(PAGE) == {"PATCH pods/status": 4, "PUT leases": 5, "GET (none)": 2}


def test_a_part_of_the_log_is_read_and_no_more(tmp_path: Path) -> None:
    before, within, after = line("get", "pods"), line("patch", "pods", 422) + line("list", "pods"), line("get", "nodes")
    log = tmp_path / "audit.log"
    log.write_text(before + within + after)
    found = operators(log, Part(len(before), len(before + within)))
    assert found == {"patch pods (refused)": 1, "list pods": 1}
    assert writes(found) == 1


def test_the_policy_names_the_operator() -> None:
    assert OPERATOR in POLICY.read_text(encoding="utf-8")
