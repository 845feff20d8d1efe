"""What an agent may write in the statuses that all nodes share, by the expressions of manifests/agent-binding.yaml."""

from __future__ import annotations

import cel
import pytest

from tests.manifests.folder import MANIFESTS, documents

NODE = "authentication.kubernetes.io/node-name"
READY = {"type": "Ready", "status": "True"}


def policy():
    found = documents(MANIFESTS / "agent-binding.yaml")
    kind = "ValidatingAdmissionPolicy"
    return next(one["spec"] for one in found if one["kind"] == kind and one["metadata"]["name"].endswith("bgp-entry"))


def refusals(resource, before, after, extra):
    """The messages of the policy about a write of n1's agent."""
    spec, variables = policy(), {}
    values = {
        "request": {"resource": {"resource": resource}, "userInfo": {"extra": extra}},
        "oldObject": {} if before is None else {"status": before},
        "object": {} if after is None else {"status": after},
        "variables": variables,
    }
    for one in spec["variables"]:
        variables[one["name"]] = cel.evaluate(one["expression"], values)
    return [one["message"] for one in spec["validations"] if not cel.evaluate(one["expression"], values)]


@pytest.mark.parametrize(("resource", "field"), [("bgpconfs", "nodesConfStatus"), ("bgppeers", "nodesPeerStatus")])
def test_an_agent_writes_its_own_entry_and_nothing_else(resource, field):
    def said(before, after, extra=None):
        return refusals(resource, before, after, {NODE: ["n1"]} if extra is None else extra)

    others, conditions = {"n2": {"as": 2}, "n3": {"as": 3}}, {"conditions": [READY]}
    assert said(None, {field: {"n1": {"as": 1}}}) == []
    assert said({field: others} | conditions, {field: others | {"n1": {"as": 1}}} | conditions) == []
    assert said({field: others | {"n1": {"as": 1}}}, {field: others | {"n1": {"as": 9}}}) == []
    assert said({field: others | {"n1": {"as": 1}}}, {field: others}) == []
    assert said({field: {"n1": {"as": 1}}}, None) == []

    [only] = said({field: others}, {field: others | {"n2": {"as": 9}}})
    assert only == "an agent writes the entry of its own node only"
    assert said({field: others}, {field: {"n2": {"as": 2}}}) == [only]
    assert said({field: others}, None) == [only]
    assert said(None, {field: {"n4": {"as": 4}}}) == [only]
    assert said(None, {field: {"n1": {"as": 1}}}, extra={}) == [only]
    assert said(conditions, {field: {"n1": {"as": 1}}}) == ["an agent writes no conditions"]
    assert said({field: others}, {field: others} | conditions) == ["an agent writes no conditions"]


def test_the_policy_is_about_agents_and_about_both_statuses_and_is_bound():
    spec = policy()
    [rule] = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], rule["operations"]) == (["bgpconfs/status", "bgppeers/status"], ["UPDATE"])
    assert spec["failurePolicy"] == "Fail"
    agent = "system:serviceaccount:vipmgr-system:vipmgr-agent"
    [condition] = spec["matchConditions"]
    for user, matches in ((agent, True), ("system:serviceaccount:vipmgr-system:vipmgr-controller", False)):
        assert cel.evaluate(condition["expression"], {"request": {"userInfo": {"username": user}}}) is matches
    bound = [one["spec"] for one in documents(MANIFESTS / "agent-binding.yaml") if one["kind"].endswith("Binding")]
    assert {"policyName": "vipmgr-agent-own-bgp-entry", "validationActions": ["Deny"]} in bound
