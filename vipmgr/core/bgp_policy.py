"""GoBGP policies as OpenELB reads them: the TOML of entry `gobgp.conf` of the ConfigMap that BgpConf.spec.policy names.

The names are those of GoBGP's configuration file (docs/sources/policy.md there), of which OpenELB takes `defined-sets`,
`policy-definitions` and `global.apply-policy.config`. Keys may be in any case, numbers may be written as text. Pure.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

from vipmgr.core.node_bgp import NodeBgpClause, NodeBgpPolicy, NodeBgpRule, NodeBgpSet, NodeBgpStatement
from vipmgr.core.toml_table import TOP, Said, Table, lowered

ENTRY: Final = "gobgp.conf"
"""the entry of the ConfigMap"""
_ANY_INVERT: Final = ("any", "invert")
_ANY_ALL_INVERT: Final = ("any", "all", "invert")
_ORIGINS: Final = ("igp", "egp", "incomplete")
_CHANGES: Final = ("add", "remove", "replace")
_FAMILIES: Final = {"ipv4-unicast": "IPv4", "ipv6-unicast": "IPv6"}
_VERDICTS: Final = {"": "", "none": "", "accept-route": "accept", "reject-route": "reject"}
_BGP_SETS: Final = ("community", "ext-community", "large-community", "as-path")
_MASK: Final = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class PolicyText:
    """What one ConfigMap says. `policy` is None when `problems` has something; each names the place in the text.
    `ignored`: what GoBGP reads and does nothing with."""

    policy: NodeBgpPolicy | None
    problems: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def digest(policy: NodeBgpPolicy) -> str:
    """Another text for another policy; what gobgpd holds is known by it."""
    return blake2b(msgspec.json.encode(policy), digest_size=6).hexdigest()


def read_policy(text: str | None) -> PolicyText:
    """`text`: None: the ConfigMap has no such entry."""
    if text is None:
        return PolicyText(None, (f"has no entry {ENTRY}",))
    try:
        found = lowered(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return PolicyText(None, (f"{ENTRY}: {error}",))
    said = Said(ENTRY)
    top = Table(found, "", said)
    sets = _sets(top.table("defined-sets"))
    known = {(one.kind, one.name) for one in sets}
    if len(known) < len(sets):
        said.wrong("defined-sets", "two sets of one kind have the same name")
    rules = [_rule(one, index, known) for index, one in enumerate(top.tables("policy-definitions"))]
    policy = _applied(top.table("global").table("apply-policy").table("config"), sets, rules, said)
    said.close()
    if said.problems:
        return PolicyText(None, tuple(said.problems), tuple(said.ignored))
    return PolicyText(policy, (), tuple(said.ignored))


# --- sets ------------------------------------------------------------------------------------------------------------


def _sets(found: Table) -> tuple[NodeBgpSet, ...]:
    sets = []
    for one in found.tables("prefix-sets"):
        members = [_prefix(each) for each in one.tables("prefix-list")]
        if len({":" in member for member in members}) > 1:
            one.wrong("prefix-list", "has prefixes of both address families")
        sets.append(NodeBgpSet(kind="prefix", name=_name(one, "prefix-set-name"), members=tuple(members)))
    for one in found.tables("neighbor-sets"):
        members = [str(ip_network(each, strict=False)) if _is_network(each) else "" for each in
                   one.texts("neighbor-info-list", lambda each: ip_network(each, strict=False))]  # fmt: skip
        sets.append(NodeBgpSet(kind="neighbor", name=_name(one, "neighbor-set-name"), members=tuple(members)))
    found.ignore("tag-sets")
    more = found.table("bgp-defined-sets")
    for kind in _BGP_SETS:
        sets += [
            NodeBgpSet(kind=kind, name=_name(one, f"{kind}-set-name"), members=one.texts(f"{kind}-list", re.compile))
            for one in more.tables(f"{kind}-sets")
        ]
    return tuple(sets)


def _name(one: Table, key: str) -> str:
    name = one.text(key)
    if not name:
        one.wrong(key, "is needed")
    return name


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _prefix(one: Table) -> str:
    """ "10.0.0.0/8 16..24"."""
    text, span = one.text("ip-prefix"), one.text("masklength-range")
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        one.wrong("ip-prefix", str(error))
        return ""
    if not span:
        return f"{network} {network.prefixlen}..{network.prefixlen}"
    ends = _MASK.fullmatch(span)
    if ends is None or not int(ends[1]) <= int(ends[2]) <= network.max_prefixlen:
        one.wrong("masklength-range", f"{span!r} is no range of lengths such as 16..24")
    return f"{network} {span}"


# --- statements ------------------------------------------------------------------------------------------------------


def _rule(found: Table, index: int, known: set[tuple[str, str]]) -> NodeBgpRule:
    name = found.text("name")
    if not name:
        found.wrong("name", f"policy {index} has none")
    statements = []
    for one in found.tables("statements"):
        one.text("name")
        actions = one.table("actions")
        verdict = _VERDICTS[actions.one_of("route-disposition", [word for word in _VERDICTS if word])]
        actions.ignore("igp-actions")
        statements.append(
            NodeBgpStatement(
                conditions=tuple(_conditions(one.table("conditions"), known)),
                actions=tuple(_actions(actions.table("bgp-actions"))),
                verdict=verdict,
            )
        )
    return NodeBgpRule(name=name, statements=tuple(statements))


def _conditions(found: Table, known: set[tuple[str, str]]) -> Iterable[NodeBgpClause]:
    for key in ("call-policy", "match-tag-set", "install-protocol-eq", "igp-conditions"):
        found.ignore(key)
    for kind in ("prefix", "neighbor"):
        yield from _match(found, kind, _ANY_INVERT, known)
    bgp = found.table("bgp-conditions")
    for kind in _BGP_SETS:
        yield from _match(bgp, kind, _ANY_ALL_INVERT, known)
    yield from _attributes(bgp)


def _attributes(bgp: Table) -> Iterable[NodeBgpClause]:
    for key in ("med-eq", "local-pref-eq"):
        if number := bgp.number(key):
            yield NodeBgpClause(what=key, values=(str(number),))
    if origin := bgp.one_of("origin-eq", _ORIGINS):
        yield NodeBgpClause(what="origin-eq", values=(origin,))
    if hops := bgp.texts("next-hop-in-list", lambda one: ip_network(one, strict=False)):
        yield NodeBgpClause(what="next-hop-in-list", values=hops)
    if families := bgp.texts("afi-safi-in-list", _family):
        yield NodeBgpClause(what="afi-safi-in-list", values=tuple(_FAMILIES.get(one, "") for one in families))
    for key in ("community-count", "as-path-length"):
        yield from _comparison(bgp.table(key), key)
    route_type = bgp.one_of("route-type", ("none", "internal", "external", "local"))
    if route_type not in ("", "none"):
        yield NodeBgpClause(what="route-type", values=(route_type,))


def _family(text: str) -> None:
    if text not in _FAMILIES:
        raise ValueError(f"is none of {', '.join(_FAMILIES)}")


def _match(found: Table, kind: str, options: Sequence[str], known: set[tuple[str, str]]) -> Iterable[NodeBgpClause]:
    one = found.table(f"match-{kind}-set")
    name, option = one.text(f"{kind}-set"), one.one_of("match-set-options", options, "any")
    if not name:
        return
    if (kind, name) not in known:
        one.wrong(f"{kind}-set", f"there is no {kind} set {name!r}")
    yield NodeBgpClause(what=f"{kind}-set", option=option, values=(name,))


def _comparison(one: Table, what: str) -> Iterable[NodeBgpClause]:
    operators = ("eq", "ge", "le", "attribute-eq", "attribute-ge", "attribute-le")
    operator, number = one.one_of("operator", operators), one.number("value")
    if operator:
        yield NodeBgpClause(what=what, option=operator.removeprefix("attribute-"), values=(str(number),))


def _actions(found: Table) -> Iterable[NodeBgpClause]:
    yield from _prepend(found.table("set-as-path-prepend"))
    for kind in ("community", "ext-community", "large-community"):
        yield from _change(found.table(f"set-{kind}"), kind)
    if origin := found.one_of("set-route-origin", _ORIGINS):
        yield NodeBgpClause(what="origin", values=(origin,))
    if preference := found.number("set-local-pref"):
        yield NodeBgpClause(what="local-pref", values=(str(preference),))
    if hop := found.text("set-next-hop"):
        if hop not in ("self", "unchanged", "peer-address") and not _is_address(hop):
            found.wrong("set-next-hop", f"{hop!r} is no address and none of self, unchanged, peer-address")
        yield NodeBgpClause(what="next-hop", values=(hop,))
    if med := found.text("set-med"):
        if not re.fullmatch(r"[+-]?\d{1,10}", med):
            found.wrong("set-med", f"{med!r} is no number such as 100, +10 or -10")
        yield NodeBgpClause(what="med", option="change" if med[0] in "+-" else "replace", values=(med,))


def _prepend(found: Table) -> Iterable[NodeBgpClause]:
    own, times = found.text("as"), found.number("repeat-n", 255)
    if not own and not times:
        return
    if own != "last-as" and not (own.isdecimal() and 0 < int(own) <= TOP):
        found.wrong("as", f"{own!r} is no AS number and not last-as")
    yield NodeBgpClause(what="as-path-prepend", option=own, values=(str(times),))


def _change(found: Table, kind: str) -> Iterable[NodeBgpClause]:
    option, method = found.one_of("options", _CHANGES), found.table(f"set-{kind}-method")
    method.ignore(f"{kind}-set-ref")
    values = method.texts("communities-list", re.compile)
    if values and not option:
        found.wrong("options", f"is none of {', '.join(_CHANGES)}")
    if option:
        yield NodeBgpClause(what=kind, option=option, values=values)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


# --- what is applied -------------------------------------------------------------------------------------------------


def _applied(config: Table, sets: tuple[NodeBgpSet, ...], rules: Sequence[NodeBgpRule], said: Said) -> NodeBgpPolicy:
    config.ignore("in-policy-list")
    config.ignore("default-in-policy")
    names = [one.name for one in rules]
    if len(set(names)) < len(names):
        said.wrong("policy-definitions", "two policies have the same name")
    lists = {}
    for key in ("import-policy-list", "export-policy-list"):
        lists[key] = config.texts(key)
        for name in lists[key]:
            if name not in names:
                config.wrong(key, f"there is no policy {name!r}")
        if len(set(lists[key])) < len(lists[key]):
            config.wrong(key, "names a policy twice")
    for one in rules:
        if one.name in lists["import-policy-list"] and _loses_marks(one):
            said.wrong(
                "policy-definitions",
                f"import policy {one.name!r}: large communities can only be added there: they mark the way of a route",
            )
    words = ("accept-route", "reject-route")
    return NodeBgpPolicy(
        sets=sets,
        rules=tuple(rules),
        imports=lists["import-policy-list"],
        exports=lists["export-policy-list"],
        refuse_imports=config.one_of("default-import-policy", words) == "reject-route",
        refuse_exports=config.one_of("default-export-policy", words) == "reject-route",
    )


def _loses_marks(rule: NodeBgpRule) -> bool:
    clauses = [clause for statement in rule.statements for clause in statement.actions]
    return any(clause.what == "large-community" and clause.option != "add" for clause in clauses)
