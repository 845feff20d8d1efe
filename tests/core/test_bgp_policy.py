"""An operator's GoBGP policies, as OpenELB reads them from a ConfigMap: what arrives, and what is said of the rest."""

from __future__ import annotations

import pytest

from vipmgr.core.bgp_policy import digest, read_policy
from vipmgr.core.node_bgp import NodeBgpClause, NodeBgpPolicy, NodeBgpRule, NodeBgpSet, NodeBgpStatement

EVERYTHING = """
[global.apply-policy.config]
  import-policy-list = ["mark"]
  default-import-policy = "accept-route"
  export-policy-list = ["out", "mark"]
  default-export-policy = "reject-route"

[[defined-sets.prefix-sets]]
  prefix-set-name = "ours"
  prefix-list = [{ip-prefix = "10.1.0.0/16", masklength-range = "24..32"}, {ip-prefix = "10.2.0.1/32"}]
[[defined-sets.neighbor-sets]]
  neighbor-set-name = "left"
  neighbor-info-list = ["10.0.0.254", "10.9.0.0/24"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "c"
  community-list = ["65001:100", "^65001:2..$"]
[[defined-sets.bgp-defined-sets.ext-community-sets]]
  ext-community-set-name = "e"
  ext-community-list = ["rt:65001:1"]
[[defined-sets.bgp-defined-sets.large-community-sets]]
  large-community-set-name = "l"
  large-community-list = ["65001:1:1"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "a"
  as-path-list = ["^65100"]

[[policy-definitions]]
  name = "out"
  [[policy-definitions.statements]]
    name = "first"
    [policy-definitions.statements.conditions]
      match-prefix-set = {prefix-set = "ours", match-set-options = "any"}
      match-neighbor-set = {neighbor-set = "left", match-set-options = "invert"}
      [policy-definitions.statements.conditions.bgp-conditions]
        match-community-set = {community-set = "c", match-set-options = "all"}
        match-ext-community-set = {ext-community-set = "e"}
        match-large-community-set = {large-community-set = "l"}
        match-as-path-set = {as-path-set = "a"}
        med-eq = 7
        local-pref-eq = 8
        origin-eq = "igp"
        next-hop-in-list = ["10.0.0.1"]
        afi-safi-in-list = ["ipv4-unicast"]
        community-count = {operator = "ge", value = 2}
        as-path-length = {operator = "attribute-eq", value = 3}
        route-type = "local"
    [policy-definitions.statements.actions]
      route-disposition = "accept-route"
      [policy-definitions.statements.actions.bgp-actions]
        set-as-path-prepend = {as = "65001", repeat-n = 3}
        set-community = {options = "add", set-community-method = {communities-list = ["65001:9"]}}
        set-ext-community = {options = "remove", set-ext-community-method = {communities-list = ["rt:65001:1"]}}
        set-large-community = {options = "replace", set-large-community-method = {communities-list = ["65001:1:9"]}}
        set-route-origin = "egp"
        set-local-pref = 200
        set-next-hop = "self"
        set-med = "+10"
  [[policy-definitions.statements]]
    [policy-definitions.statements.actions]
      route-disposition = "reject-route"

[[policy-definitions]]
  name = "mark"
  [[policy-definitions.statements]]
    [policy-definitions.statements.actions.bgp-actions]
      set-large-community = {options = "add", set-large-community-method = {communities-list = ["65001:1:2"]}}
"""


def clause(what, *values, option=""):
    return NodeBgpClause(what=what, option=option, values=values)


def test_every_field_that_openelb_reads_arrives():
    conditions = (
        clause("prefix-set", "ours", option="any"), clause("neighbor-set", "left", option="invert"),
        clause("community-set", "c", option="all"), clause("ext-community-set", "e", option="any"),
        clause("large-community-set", "l", option="any"), clause("as-path-set", "a", option="any"),
        clause("med-eq", "7"), clause("local-pref-eq", "8"), clause("origin-eq", "igp"),
        clause("next-hop-in-list", "10.0.0.1"), clause("afi-safi-in-list", "IPv4"),
        clause("community-count", "2", option="ge"), clause("as-path-length", "3", option="eq"),
        clause("route-type", "local"),
    )  # fmt: skip
    actions = (
        clause("as-path-prepend", "3", option="65001"), clause("community", "65001:9", option="add"),
        clause("ext-community", "rt:65001:1", option="remove"),
        clause("large-community", "65001:1:9", option="replace"), clause("origin", "egp"),
        clause("local-pref", "200"), clause("next-hop", "self"),
        clause("med", "+10", option="change"),
    )  # fmt: skip
    first = NodeBgpStatement(conditions=conditions, actions=actions, verdict="accept")
    marking = NodeBgpStatement(actions=(clause("large-community", "65001:1:2", option="add"),))
    assert read_policy(EVERYTHING).policy == NodeBgpPolicy(
        sets=(
            NodeBgpSet(kind="prefix", name="ours", members=("10.1.0.0/16 24..32", "10.2.0.1/32 32..32")),
            NodeBgpSet(kind="neighbor", name="left", members=("10.0.0.254/32", "10.9.0.0/24")),
            NodeBgpSet(kind="community", name="c", members=("65001:100", "^65001:2..$")),
            NodeBgpSet(kind="ext-community", name="e", members=("rt:65001:1",)),
            NodeBgpSet(kind="large-community", name="l", members=("65001:1:1",)),
            NodeBgpSet(kind="as-path", name="a", members=("^65100",)),
        ),
        rules=(
            NodeBgpRule(name="out", statements=(first, NodeBgpStatement(verdict="reject"))),
            NodeBgpRule(name="mark", statements=(marking,)),
        ),
        imports=("mark",),
        exports=("out", "mark"),
        refuse_exports=True,
    )


def statement(text):
    return (
        f'[[policy-definitions]]\nname = "p"\n[[policy-definitions.statements]]\n[policy-definitions.statements.{text}'
    )


S, D = "policy-definitions[0].statements[0].", "defined-sets."
PREFIXES = '[[defined-sets.prefix-sets]]\nprefix-set-name = "x"\nprefix-list = '


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[policy-definitions", ""),
        ('[global.apply-policy.config]\nexport-policy-list = ["x"]', "global.apply-policy.config.export-policy-list"),
        ('[global.apply-policy.config]\nimport-policy-list = "x"', "global.apply-policy.config.import-policy-list"),
        (
            '[global.apply-policy.config]\ndefault-export-policy = "accept"',
            "global.apply-policy.config.default-export-policy",
        ),
        ("[global.config]\nas = 65001", "global.config"),
        ('[[policy-definitions]]\nname = "p"\nx = 1', "policy-definitions[0].x"),
        ("[[policy-definitions]]", "policy-definitions[0].name"),
        ('[[policy-definitions]]\nname = "p"\n[[policy-definitions]]\nname = "p"', "policy-definitions"),
        (statement('conditions.match-prefix-set]\nprefix-set = "x"'), S + "conditions.match-prefix-set.prefix-set"),
        (statement('conditions.bgp-conditions]\nmed-eq = "x"'), S + "conditions.bgp-conditions.med-eq"),
        (
            statement('conditions.bgp-conditions]\nafi-safi-in-list = ["l2vpn-evpn"]'),
            S + "conditions.bgp-conditions.afi-safi-in-list[0]",
        ),
        (statement('actions.bgp-actions]\nset-med = "much"'), S + "actions.bgp-actions.set-med"),
        (statement('actions.bgp-actions]\nset-next-hop = "router"'), S + "actions.bgp-actions.set-next-hop"),
        (
            statement('actions.bgp-actions.set-as-path-prepend]\nas = "own"\nrepeat-n = 1'),
            S + "actions.bgp-actions.set-as-path-prepend.as",
        ),
        (
            statement("actions.bgp-actions.set-as-path-prepend]\nas = 1\nrepeat-n = 256"),
            S + "actions.bgp-actions.set-as-path-prepend.repeat-n",
        ),
        (
            statement('actions.bgp-actions.set-community]\noptions = "put"'),
            S + "actions.bgp-actions.set-community.options",
        ),
        (statement('actions]\nroute-disposition = "drop"'), S + "actions.route-disposition"),
        (PREFIXES + '[{ip-prefix = "10.0.0.0/33"}]', D + "prefix-sets[0].prefix-list[0].ip-prefix"),
        (
            PREFIXES + '[{ip-prefix = "10.0.0.0/8", masklength-range = "8..33"}]',
            D + "prefix-sets[0].prefix-list[0].masklength-range",
        ),
        (PREFIXES + '[{ip-prefix = "10.0.0.0/8"}, {ip-prefix = "fd00::/8"}]', D + "prefix-sets[0].prefix-list"),
        (
            '[[defined-sets.neighbor-sets]]\nneighbor-set-name = "x"\nneighbor-info-list = ["r"]',
            D + "neighbor-sets[0].neighbor-info-list[0]",
        ),
        ("[[defined-sets.neighbor-sets]]\nneighbor-info-list = []", D + "neighbor-sets[0].neighbor-set-name"),
        (
            '[[defined-sets.bgp-defined-sets.community-sets]]\ncommunity-set-name = "x"\ncommunity-list = ["("]',
            D + "bgp-defined-sets.community-sets[0].community-list[0]",
        ),
    ],
)
def test_what_cannot_be_read_is_said_by_its_place_and_nothing_is_applied(text, place):
    found = read_policy(text)
    assert found.policy is None
    assert found.problems[0].startswith(f"gobgp.conf: {place}")


def test_a_config_map_without_the_entry_says_so():
    assert read_policy(None).problems == ("has no entry gobgp.conf",)


def test_an_import_policy_that_would_take_a_routes_marks_away_is_refused():
    text = (
        statement('actions.bgp-actions.set-large-community]\noptions = "replace"') + "\n[global.apply-policy.config]\n"
    )
    assert read_policy(text + 'export-policy-list = ["p"]').problems == ()
    [problem] = read_policy(text + 'import-policy-list = ["p"]').problems
    assert "import policy 'p': large communities can only be added there" in problem


def test_what_gobgp_reads_and_leaves_is_named():
    text = statement('conditions]\ncall-policy = "q"') + "\n[[defined-sets.tag-sets]]\ntag-set-name = 't'\n"
    assert read_policy(text).ignored == (
        "gobgp.conf: defined-sets.tag-sets",
        "gobgp.conf: policy-definitions[0].statements[0].conditions.call-policy",
    )


def test_keys_are_read_in_any_case_and_numbers_as_text():
    loud = EVERYTHING.replace("med-eq = 7", 'MED-EQ = "7"').replace("policy-definitions", "Policy-Definitions")
    assert read_policy(loud) == read_policy(EVERYTHING)


def test_another_policy_has_another_digest_and_the_same_one_the_same():
    one, same, other = (read_policy(text).policy for text in (EVERYTHING, EVERYTHING, EVERYTHING.replace("+10", "+11")))
    assert digest(one) == digest(same) != digest(other)
