"""The result of `place`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vipmgr.core.confirm import Scene
from vipmgr.core.eligible import Sites
from vipmgr.core.model import Address, Instance, NodeName, Pool, Problem


@dataclass(frozen=True, slots=True)
class Placement:
    """Desired VrrpInstances, and what to say about them.

    `instances` come in the order in which to create them: highest number of a pool first. The highest number is the
    pool's count, so a controller killed between two writes goes on where it stopped.
    """

    instances: Mapping[str, Instance]
    leaving: Mapping[str, Instance]
    """wanted no more, but still on a node: they keep their VRID and their VrrpInstance"""
    delete: tuple[str, ...]
    """on no node any more: delete these VrrpInstances"""
    problems: tuple[Problem, ...]
    """about Eip/NAME; NO_ELIGIBLE_NODE, VRID_EXHAUSTED, VRID_STRANGER, INSTANCE_FULL, MISSING_INTERFACE"""
    unplaced: Mapping[Address, Problem]
    """VIPs no instance holds, and why"""
    ineligible: Mapping[str, Mapping[NodeName, str]]
    """pool -> node -> why it may not be chosen"""
    rebalanced: tuple[str, ...]
    """instances whose vipmgr.io/rebalance is fulfilled: take the annotation off"""
    recheck: datetime | None
    """place again then, though nothing else may have changed"""
    pools: Mapping[str, Pool]
    health_ports: Mapping[str, tuple[int, ...]]
    """instance -> health check node ports of its Local Services"""
    scene: Scene
    sites: Sites
    """what `stage` needs of the same snapshot"""
