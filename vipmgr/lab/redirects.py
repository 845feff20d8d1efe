"""What kube-proxy does for the addresses of LoadBalancer Services: traffic to them is this node's own (nftables).

Only for addresses that no interface has (layer2 and bgp pools): those of vip pools reach the node as they are.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from ipaddress import ip_address

from vipmgr.errors import FatalError

TABLE = "vipmgr-lab"


def script(addresses: Iterable[str]) -> str:
    """For `nft -f`: exactly these addresses, in one transaction."""
    lines = [f"table inet {TABLE} {{}}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    lines += ["chain services {", "type nat hook prerouting priority dstnat;"]
    lines += [f"{'ip' if ip_address(one).version == 4 else 'ip6'} daddr {one} redirect" for one in sorted(addresses)]
    return "\n".join([*lines, "}", "}"]) + "\n"


def redirect(addresses: Iterable[str]) -> None:
    """In this process's network namespace. FatalError with nft's own words."""
    done = subprocess.run(["nft", "-f", "-"], input=script(addresses), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise FatalError(f"nft: {done.stderr.strip()}")
