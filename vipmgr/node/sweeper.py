"""Takes VIPs off this node's interfaces that nobody here answers for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.kernel_view import Placed, strays
from vipmgr.core.model import Address
from vipmgr.core.wire import VipNodeSpec
from vipmgr.node.journal import Journal
from vipmgr.node.keepalived import find_processes
from vipmgr.node.netlink import Netlink, remove_addresses
from vipmgr.node.settings import Paths


class Sweeper:
    """`plans`: the configurations keepalived may be running. `kept`: the node's own addresses, never touched."""

    def __init__(
        self, paths: Paths, netlink: Netlink, journal: Journal, plans: Callable[[], Sequence[VipNodeSpec]]
    ) -> None:
        self._paths = paths
        self._netlink = netlink
        self._journal = journal
        self._plans = plans
        self._busy = asyncio.Lock()
        self.kept: frozenset[Address] = frozenset()
        self.removed = 0

    async def sweep(self) -> None:
        async with self._busy:
            await self._netlink.synced.wait()
            running = self._runs()
            plans = self._plans()
            found = strays(plans, self._netlink.kernel.placed(), self.kept, running=running)
            for one in await remove_addresses(found, lambda: running or not self._runs()):
                self._tell(one, plans, running)

    def _runs(self) -> bool:
        """Whether a VRRP process may be holding VIPs. One that wrote no pid file is given the benefit of the doubt."""
        processes = find_processes(self._paths)
        if processes.vrrp is not None:
            return True
        return processes.parent is not None and not self._paths.vrrp_pid.exists()

    def _tell(self, one: Placed, plans: Sequence[VipNodeSpec], running: bool) -> None:
        self.removed += 1
        vip = one.address.ip
        owner = next((i.name for plan in plans for i in plan.instances if vip in map(ip_address, i.vips)), "")
        line = AuditLine(event=Event.STRAY_REMOVED, instance=owner, interface=one.interface, vips=(str(vip),))
        line.reason = "not-planned" if running else "keepalived-died"
        self._journal.write(line)
