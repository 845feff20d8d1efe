"""Policies <-> GoBGP's messages, under names of our own: what is in force is read back by its name.

vipmgr-own                          import: nothing is let in that does not come from here
vipmgr-gate|ADDRESS|TAG|NEXT_HOP    export, one per session (core/bgp_routes.py)
vipmgr-rules|DIGEST|NAME            BgpConf.spec.policy; the one without a NAME is empty and says which are in force
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from vipmgr.core.bgp_routes import TAG_ADMIN, TAG_KIND, tag
from vipmgr.core.bgp_steps import Chain, Gate, Rules
from vipmgr.core.node_bgp import NodeBgpClause, NodeBgpSet, NodeBgpStatement
from vipmgr.node.bgp import gobgp_pb2 as pb
from vipmgr.node.bgp.messages import FAMILIES, IPV4, IPV6

OWN: Final = "vipmgr-own"
GATE: Final = "vipmgr-gate"
RULES: Final = "vipmgr-rules"
KINDS: Final = {
    "prefix": pb.DEFINED_TYPE_PREFIX,
    "neighbor": pb.DEFINED_TYPE_NEIGHBOR,
    "community": pb.DEFINED_TYPE_COMMUNITY,
    "ext-community": pb.DEFINED_TYPE_EXT_COMMUNITY,
    "large-community": pb.DEFINED_TYPE_LARGE_COMMUNITY,
    "as-path": pb.DEFINED_TYPE_AS_PATH,
}
_MATCHES: Final = {"any": pb.MatchSet.TYPE_ANY, "all": pb.MatchSet.TYPE_ALL, "invert": pb.MatchSet.TYPE_INVERT}
_COMPARISONS: Final = {"eq": pb.COMPARISON_EQ, "ge": pb.COMPARISON_GE, "le": pb.COMPARISON_LE}
_ORIGINS: Final = {
    "igp": pb.ORIGIN_TYPE_IGP, "egp": pb.ORIGIN_TYPE_EGP, "incomplete": pb.ORIGIN_TYPE_INCOMPLETE,
}  # fmt: skip
_ROUTE_TYPES: Final = {
    "internal": pb.Conditions.ROUTE_TYPE_INTERNAL,
    "external": pb.Conditions.ROUTE_TYPE_EXTERNAL,
    "local": pb.Conditions.ROUTE_TYPE_LOCAL,
}
_CHANGES: Final = {
    "add": pb.CommunityAction.TYPE_ADD,
    "remove": pb.CommunityAction.TYPE_REMOVE,
    "replace": pb.CommunityAction.TYPE_REPLACE,
}
_VERDICTS: Final = {
    "": pb.ROUTE_ACTION_UNSPECIFIED, "accept": pb.ROUTE_ACTION_ACCEPT, "reject": pb.ROUTE_ACTION_REJECT,
}  # fmt: skip
_REJECT: Final = pb.Actions(route_action=pb.ROUTE_ACTION_REJECT)


# --- what is in force ------------------------------------------------------------------------------------------------


def own_policy() -> pb.Policy:
    strangers = (pb.Conditions.ROUTE_TYPE_INTERNAL, pb.Conditions.ROUTE_TYPE_EXTERNAL)
    return pb.Policy(
        name=OWN,
        statements=[
            pb.Statement(name=f"{OWN}|{kind}", conditions=pb.Conditions(route_type=kind), actions=_REJECT)
            for kind in strangers
        ],
    )


def assignments(chain: Chain) -> tuple[pb.PolicyAssignment, pb.PolicyAssignment]:
    """For routes that come in, and for those that go out."""
    rules, policy = chain.rules, chain.rules.policy
    coming, going = [OWN], [gate_name(gate) for gate in sorted(chain.gates)]
    if policy is not None:
        coming += [rule_name(rules, name) for name in policy.imports]
        going += [*(rule_name(rules, name) for name in policy.exports), rule_name(rules, "")]
    return (
        _assignment(pb.POLICY_DIRECTION_IMPORT, coming, refuse=policy is not None and policy.refuse_imports),
        _assignment(pb.POLICY_DIRECTION_EXPORT, going, refuse=policy is not None and policy.refuse_exports),
    )


def _assignment(direction: pb.PolicyDirection, names: Iterable[str], *, refuse: bool) -> pb.PolicyAssignment:
    return pb.PolicyAssignment(
        name="global",
        direction=direction,
        policies=[pb.Policy(name=name) for name in names],
        default_action=pb.ROUTE_ACTION_REJECT if refuse else pb.ROUTE_ACTION_ACCEPT,
    )


def chain_value(coming: Iterable[str], going: Iterable[str]) -> Chain | None:
    """By the names of the policies in force, for routes that come in and that go out."""
    if OWN not in coming:
        return None
    parts = [name.split("|") for name in going]
    gates = frozenset(Gate(*rest) for kind, *rest in parts if kind == GATE and len(rest) == len(Gate._fields))
    return Chain(gates, Rules(next((rest[0] for kind, *rest in parts if kind == RULES), "")))


# --- gates -----------------------------------------------------------------------------------------------------------


def gate_name(gate: Gate) -> str:
    return "|".join((GATE, *gate))


def gate_sets(gate: Gate) -> Sequence[pb.DefinedSet]:
    name = gate_name(gate)
    tags = [f"^{one}$" for one in (tag(""), gate.tag)]
    return (
        pb.DefinedSet(defined_type=pb.DEFINED_TYPE_NEIGHBOR, name=name, list=[_host(gate.address)]),
        pb.DefinedSet(defined_type=pb.DEFINED_TYPE_LARGE_COMMUNITY, name=name, list=tags),
    )


def _host(address: str) -> str:
    return str(ip_network(address.partition("%")[0]))


def gate_policy(gate: Gate) -> pb.Policy:
    """Without the tag: stopped. With it: on to the rules without any tag; IPv6 in a session over IPv4 with a next hop
    of its own."""
    name = gate_name(gate)
    here = pb.MatchSet(type=pb.MatchSet.TYPE_ANY, name=name)
    untagged = pb.MatchSet(type=pb.MatchSet.TYPE_INVERT, name=name)
    tagless = pb.CommunityAction(type=pb.CommunityAction.TYPE_REMOVE, communities=[f"^{TAG_ADMIN}:{TAG_KIND}:.*$"])

    def onward(label: str, families: Sequence[pb.Family], next_hop: pb.NexthopAction | None) -> pb.Statement:
        return pb.Statement(
            name=f"{name}|{label}",
            conditions=pb.Conditions(neighbor_set=here, afi_safi_in=families),
            actions=pb.Actions(large_community=tagless, nexthop=next_hop),
        )

    stop = pb.Statement(
        name=f"{name}|stop",
        conditions=pb.Conditions(neighbor_set=here, large_community_set=untagged),
        actions=_REJECT,
    )
    if gate.next_hop_v6 and isinstance(ip_address(gate.address), IPv4Address):
        own = pb.NexthopAction(address=gate.next_hop_v6)
        return pb.Policy(name=name, statements=[stop, onward("4", [IPV4], None), onward("6", [IPV6], own)])
    return pb.Policy(name=name, statements=[stop, onward("any", [], None)])


# --- rules -----------------------------------------------------------------------------------------------------------


def rule_name(rules: Rules, name: str) -> str:
    return f"{RULES}|{rules.digest}|{name}"


def rules_sets(rules: Rules) -> Iterator[pb.DefinedSet]:
    for one in rules.policy.sets if rules.policy is not None else ():
        yield _set_message(one, rule_name(rules, one.name))


def rules_policies(rules: Rules) -> Iterator[pb.Policy]:
    for one in rules.policy.rules if rules.policy is not None else ():
        name = rule_name(rules, one.name)
        yield pb.Policy(
            name=name,
            statements=[
                _statement(rules, statement, f"{name}|{index}") for index, statement in enumerate(one.statements)
            ],
        )
    yield pb.Policy(name=rule_name(rules, ""))


def _set_message(one: NodeBgpSet, name: str) -> pb.DefinedSet:
    if one.kind != "prefix":
        return pb.DefinedSet(defined_type=KINDS[one.kind], name=name, list=one.members)
    prefixes = []
    for member in one.members:
        prefix, _, span = member.partition(" ")
        least, _, most = span.partition("..")
        prefixes.append(pb.Prefix(ip_prefix=prefix, mask_length_min=int(least), mask_length_max=int(most)))
    return pb.DefinedSet(defined_type=KINDS[one.kind], name=name, prefixes=prefixes)


def _statement(rules: Rules, one: NodeBgpStatement, name: str) -> pb.Statement:
    conditions, actions = pb.Conditions(), pb.Actions(route_action=_VERDICTS[one.verdict])
    for clause in one.conditions:
        if clause.what in _COMPARED:
            _COMPARED[clause.what](conditions, clause)
        else:
            match = pb.MatchSet(type=_MATCHES[clause.option], name=rule_name(rules, clause.values[0]))
            getattr(conditions, clause.what.replace("-", "_")).CopyFrom(match)
    for clause in one.actions:
        _CHANGED[clause.what](actions, clause)
    return pb.Statement(name=name, conditions=conditions, actions=actions)


def _number(clause: NodeBgpClause) -> int:
    return int(clause.values[0])


_COMPARED: Final[Mapping[str, Callable[[pb.Conditions, NodeBgpClause], None]]] = {
    "med-eq": lambda to, one: to.med_eq.CopyFrom(pb.MedEq(value=_number(one))),
    "local-pref-eq": lambda to, one: to.local_pref_eq.CopyFrom(pb.LocalPrefEq(value=_number(one))),
    "origin-eq": lambda to, one: setattr(to, "origin", _ORIGINS[one.values[0]]),
    "next-hop-in-list": lambda to, one: to.next_hop_in_list.extend(one.values),
    "afi-safi-in-list": lambda to, one: to.afi_safi_in.extend(FAMILIES[name] for name in one.values),
    "community-count": lambda to, one: to.community_count.CopyFrom(
        pb.CommunityCount(type=_COMPARISONS[one.option], count=_number(one))
    ),
    "as-path-length": lambda to, one: to.as_path_length.CopyFrom(
        pb.AsPathLength(type=_COMPARISONS[one.option], length=_number(one))
    ),
    "route-type": lambda to, one: setattr(to, "route_type", _ROUTE_TYPES[one.values[0]]),
}
"""conditions that name no set"""


def _communities(one: NodeBgpClause) -> pb.CommunityAction:
    return pb.CommunityAction(type=_CHANGES[one.option], communities=one.values)


def _prepend(to: pb.Actions, one: NodeBgpClause) -> None:
    last = one.option == "last-as"
    to.as_prepend.CopyFrom(
        pb.AsPrependAction(asn=0 if last else int(one.option), repeat=_number(one), use_left_most=last)
    )


def _next_hop(to: pb.Actions, one: NodeBgpClause) -> None:
    [hop] = one.values
    to.nexthop.CopyFrom(
        pb.NexthopAction(
            self=hop == "self",
            unchanged=hop == "unchanged",
            peer_address=hop == "peer-address",
            address="" if hop in ("self", "unchanged", "peer-address") else hop,
        )
    )


def _med(to: pb.Actions, one: NodeBgpClause) -> None:
    kind = pb.MedAction.TYPE_MOD if one.option == "change" else pb.MedAction.TYPE_REPLACE
    to.med.CopyFrom(pb.MedAction(type=kind, value=_number(one)))


_CHANGED: Final[Mapping[str, Callable[[pb.Actions, NodeBgpClause], None]]] = {
    "as-path-prepend": _prepend,
    "community": lambda to, one: to.community.CopyFrom(_communities(one)),
    "ext-community": lambda to, one: to.ext_community.CopyFrom(_communities(one)),
    "large-community": lambda to, one: to.large_community.CopyFrom(_communities(one)),
    "origin": lambda to, one: to.origin_action.CopyFrom(pb.OriginAction(origin=_ORIGINS[one.values[0]])),
    "local-pref": lambda to, one: to.local_pref.CopyFrom(pb.LocalPrefAction(value=_number(one))),
    "next-hop": _next_hop,
    "med": _med,
}
