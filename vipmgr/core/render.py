"""NodePlan -> VipNode.spec: the text of keepalived.conf, and a revision that changes exactly when a node must act."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import jinja2
import msgspec

from vipmgr.core import wire
from vipmgr.core.model import InstancePlan, NodeName, NodePlan


def node_spec(
    plan: NodePlan,
    template_text: str,
    *,
    published_at: str = "",
) -> wire.VipNodeSpec:
    """`published_at` (RFC 3339) and `unsettled` are the controller's own notes and no part of the revision."""
    spec = wire.VipNodeSpec(
        keepalived=render(plan, template_text),
        instances=[_instance(instance) for instance in plan.instances],
        pools=[
            wire.NodePool(name=name, protocol=protocol, interface=interface, ranges=[str(span) for span in ranges])
            for name, protocol, interface, ranges in plan.pools
        ],
        reach=list(plan.reach),
        drain=plan.drain,
        layer2=plan.layer2,
        bgp=plan.bgp,
    )
    spec.revision = sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()[:16]
    spec.unsettled = {name: [str(vip) for vip in vips] for name, vips in plan.unsettled} or None
    spec.published_at = published_at
    return spec


def render(plan: NodePlan, template_text: str) -> str:
    """keepalived.conf as text."""
    return _template(template_text).render(plan=plan)


class Renderer:
    """`node_spec`, remembering the last result of each node: an unchanged plan costs one comparison."""

    def __init__(self, template_text: str) -> None:
        self._template_text = template_text
        self._last: dict[NodeName, tuple[NodePlan, wire.VipNodeSpec]] = {}

    def spec(self, plan: NodePlan) -> wire.VipNodeSpec:
        """The very same object as last time when the plan is equal. Treat it as read-only."""
        last = self._last.get(plan.node)
        if last is not None and last[0] == plan:
            return last[1]
        spec = node_spec(plan, self._template_text)
        self._last[plan.node] = (plan, spec)
        return spec

    def forget(self, node: NodeName) -> None:
        self._last.pop(node, None)


def _instance(plan: InstancePlan) -> wire.NodeInstance:
    return wire.NodeInstance(
        name=plan.name,
        eip=plan.eip,
        interface=plan.interface,
        family=plan.family,
        virtual_router_id=plan.vrid,
        priority=plan.priority,
        anchor=str(plan.anchor),
        advert_interval_ms=plan.advert_interval_ms,
        vips=[str(vip) for vip in plan.vips],
        health_check_node_ports=list(plan.health_check_node_ports),
        yield_token=plan.yield_token,
    )


@lru_cache(maxsize=4)
def _template(text: str) -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  the output is keepalived's syntax, not HTML
    )
    environment.filters["seconds"] = _seconds
    return environment.from_string(text)


def _seconds(value: float) -> str:
    """keepalived reads decimals, no exponents: 0.1, 1, 2.5. Adverts travel in centiseconds (RFC 9568, 5.2.7)."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
