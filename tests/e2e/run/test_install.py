from e2e.run.install import ordered


def test_namespaces_then_accounts_lead_and_the_rest_keeps_its_order() -> None:
    kinds = ["Role", "ServiceAccount", "Deployment", "Namespace", "ConfigMap"]
    assert [obj["kind"] for obj in ordered({"kind": kind} for kind in kinds)] == [
        "Namespace",
        "ServiceAccount",
        "Role",
        "Deployment",
        "ConfigMap",
    ]
