"""One fault, watched by the client from before it until the VIP answers again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from vipmgr.lab.client import Lab
from vipmgr.lab.sight import Prober
from vipmgr.lab.verdicts import Seen

SETTLE_SECONDS: Final = 20.0
WATCH_SECONDS: Final = 1.5


def measure(
    lab: Lab,
    prober: Prober,
    vip: str,
    faults: Sequence[Sequence[str]],
    *,
    moves: bool | None,
    watch: float = WATCH_SECONDS,
) -> Seen:
    """Do the faults (name, node, ...) one after another and watch `vip`.

    `moves`: True: until another node answers; False or None (either may be right): for `watch` seconds; then, in every
    case, until the client gets every answer again. LabError when that does not happen.
    """
    macs = lab.macs()
    source = prober.holder(vip, macs)
    began = time.time()
    for name, *nodes in faults:
        lab.fault(name, *nodes)
    if moves:
        lab.wait(lambda: prober.holder(vip, macs) not in ("", source), f"{vip} leaves {source}", SETTLE_SECONDS)
    else:
        time.sleep(watch)
    lab.wait(prober.steady, f"{vip} answers the client again", SETTLE_SECONDS)
    return Seen(vip, began, time.time(), source, prober.holder(vip, macs), prober.dark_ms(vip, int(began * 1e9)))
