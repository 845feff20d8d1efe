"""Two minutes: faults one after another, the darkness a client measures, and what the audit says, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple, TextIO

from vipmgr.lab.client import Lab
from vipmgr.lab.sight import Prober
from vipmgr.lab.trial import SETTLE_SECONDS, measure
from vipmgr.lab.verdicts import Seen, Verdict, audit, compare

SERVICE: Final = "default/nginx"
MANIFESTS: Final = """\
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata:
  name: eip-pool
spec:
  address: 196.168.220.10-196.168.220.30
  protocol: vip
  interface: eth0
---
apiVersion: v1
kind: Service
metadata:
  name: nginx
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
    eip.openelb.kubesphere.io/v1alpha2: eip-pool
spec:
  type: LoadBalancer
  ports: [{port: 80}]
"""


SPLIT_SECONDS: Final = 1.0
"""how long two masters live side by side before the demo mends it"""


class Step(NamedTuple):
    """`happens`: (fault, whether it is done to the VIP's holder), one after another. `moves`: whether a VIP must move.

    `mended` undoes it; what that does to the VIP is measured as a step of its own when `mending` names it."""

    title: str
    happens: Sequence[tuple[str, bool]]
    moves: bool = True
    mended: Sequence[tuple[str, bool]] = ()
    mending: str = ""


STEPS: Final = (
    Step("cable of the master pulled", [("cut", True)], mended=[("heal", True)]),
    Step("master dies", [("kill", True)], mended=[("start", True)]),
    Step("SIGTERM for its keepalived", [("keepalived-term", True)]),
    Step("drain", [("drain", True)], mended=[("undrain", True)]),
    Step("master hangs (SIGSTOP)", [("stop", True)], mended=[("cont", True)], mending="it wakes up"),
    Step("partition", [("split", True)], mended=[("heal", True)], mending="partition heals"),
    Step("its agent restarts", [("agent-term", True)], moves=False),
    Step("the controller is killed", [("controller-kill", False)], moves=False),
    Step(
        "API server down, then cable pulled",
        [("api-down", False), ("cut", True)],
        mended=[("api-up", False), ("heal", True)],
    ),
)


class Result(NamedTuple):
    title: str
    seen: Seen
    moves: bool
    verdict: Verdict = Verdict("", None, "")

    @property
    def objection(self) -> str:
        if self.verdict.objection:
            return self.verdict.objection
        if self.moves and self.seen.source == self.seen.target:
            return "the VIP did not move"
        return "" if self.moves or self.seen.source == self.seen.target else "the VIP moved"


def demo(nodes: int, out: TextIO) -> int:
    """Exit status: 0 when client and audit agree on everything."""
    began = time.monotonic()
    say = Progress(out)
    say.line(f"starting {nodes} nodes (network namespaces) with keepalived and an agent each, a controller, a client")
    with Lab(nodes) as lab:
        say.line(f"up after {time.monotonic() - began:.1f} s; applying an Eip and a Service of type LoadBalancer")
        applied = time.monotonic()
        lab.apply(MANIFESTS)
        vip = lab.wait_for_vip(SERVICE)
        took = time.monotonic() - applied
        say.line(f"{SERVICE} has {vip}, held by {lab.holder(vip)}, after {took:.1f} s")
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, f"{vip} answers the client")
            say.line(f"the client asks {vip} every 5 ms; now things go wrong:\n")
            seen = [result for step in STEPS for result in play(lab, prober, vip, step, say)]
        report = audit(lab.audit_text())
    results = [result._replace(verdict=compare(result.seen, report)) for result in seen]
    out.write("\n" + table(results) + "\n")
    wrong = sum(bool(result.objection) for result in results)
    said = f"{wrong} of {len(results)} disagree" if wrong else f"client and audit agree on all {len(results)}"
    out.write(f"\n{said}; {time.monotonic() - began:.0f} s; every namespace, process and file of it is gone\n")
    return 1 if wrong else 0


def play(lab: Lab, prober: Prober, vip: str, step: Step, say: Progress) -> list[Result]:
    """One step, and its mending when that counts as one."""
    victim = lab.holder(vip)
    results = [Result(step.title, measure(lab, prober, vip, aim(step.happens, victim), moves=step.moves), step.moves)]
    say.result(results[-1])
    if step.mending:
        time.sleep(SPLIT_SECONDS)
        seen = measure(lab, prober, vip, aim(step.mended, victim), moves=None)
        results.append(Result(step.mending, seen, moves=seen.source != seen.target))
        say.result(results[-1])
    else:
        for name, *nodes in aim(step.mended, victim):
            lab.fault(name, *nodes)
    lab.wait(lambda: lab.converged(vip), f"{vip} is held by one node, and every agent is back", SETTLE_SECONDS)
    return results


def aim(happens: Sequence[tuple[str, bool]], victim: str) -> list[tuple[str, ...]]:
    return [(name, victim) if aimed else (name,) for name, aimed in happens]


class Progress:
    """What goes on, line by line; plain text, the same on a terminal and in a file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        self._out.write(f"{time.monotonic() - self._began:6.1f} s  {text}\n")
        self._out.flush()

    def result(self, result: Result) -> None:
        seen = result.seen
        where = f"{seen.source} -> {seen.target}" if seen.source != seen.target else f"stays on {seen.source}"
        self.line(f"{result.title:36} {seen.vip} {where:12}  dark {seen.dark_ms:6.1f} ms")


def table(results: Sequence[Result]) -> str:
    """Fault, VIP, move, the client's measure, the audit's verdict, and whether they agree."""
    head = ("FAULT", "VIP", "MOVED", "CLIENT SAW DARK", "AUDIT: CAUSE", "AUDIT: DARK", "AGREE")
    rows = [head] + [_row(result) for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(result: Result) -> tuple[str, ...]:
    seen = result.seen
    moved = f"{seen.source} -> {seen.target}" if seen.source != seen.target else "-"
    verdict = result.verdict
    dark = f"{verdict.dark.low:.0f}-{verdict.dark.high:.0f} ms" if verdict.dark else "-"
    agree = f"NO: {result.objection}" if result.objection else "yes"
    return result.title, seen.vip, moved, f"{seen.dark_ms:.1f} ms", verdict.cause or "no move", dark, agree
