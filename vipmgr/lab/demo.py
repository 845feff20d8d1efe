"""Two minutes: faults one after another, the darkness a client measures, and what the audit says, side by side.

Three acts on the same nodes, one for each protocol, all pools in place from the first to the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple, TextIO

from vipmgr.core.audit_line import Event, read_line
from vipmgr.core.bgp_report import ESTABLISHED
from vipmgr.lab.client import Lab
from vipmgr.lab.routers import Bird, Router
from vipmgr.lab.sight import Prober
from vipmgr.lab.trial import SETTLE_SECONDS, measure
from vipmgr.lab.verdicts import Seen, Verdict, audit, compare, compare_sessions

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


LAYER2: Final = """\
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata:
  name: by-arp
spec:
  address: 196.168.220.40-196.168.220.49
  protocol: layer2
  interface: eth0
---
apiVersion: v1
kind: Service
metadata:
  name: arp
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
    eip.openelb.kubesphere.io/v1alpha2: by-arp
spec:
  type: LoadBalancer
  ports: [{port: 80}]
"""
ROUTER: Final = "196.168.223.240"
BGP_NETWORK: Final = "198.51.100.0/24"
BGP: Final = f"""\
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {{name: default}}
spec: {{as: 65001}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: router}}
spec:
  conf: {{peerAs: 65000, neighborAddress: {ROUTER}}}
  bfd: {{transmitInterval: 50ms, receiveInterval: 50ms}}
  timers: {{config: {{connectRetry: "1", holdTime: "9"}}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: routed}}
spec:
  address: {BGP_NETWORK}
  protocol: bgp
---
apiVersion: v1
kind: Service
metadata:
  name: routed
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
    eip.openelb.kubesphere.io/v1alpha2: routed
spec:
  type: LoadBalancer
  ports: [{{port: 80}}]
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


LAYER2_STEPS: Final = (
    Step("owner dies", [("kill", True)], mended=[("start", True)]),
    Step("SIGTERM for its agent", [("agent-term", True)]),
    Step("drain", [("drain", True)], mended=[("undrain", True)]),
)
BGP_STEPS: Final = (
    Step("wire dies silently (BFD 3 x 50 ms)", [("silent-cut", True)], mended=[("heal", True)]),
    Step("drain", [("drain", True)], mended=[("undrain", True)]),
)


class Result(NamedTuple):
    protocol: str
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


class Act(NamedTuple):
    """The steps of one protocol. `rested`: everything is back to normal, the next step may come."""

    protocol: str
    service: str
    steps: Sequence[Step]
    rested: Callable[[str], bool]


def demo(nodes: int, out: TextIO) -> int:
    """Exit status: 0 when client and audit agree on everything."""
    began = time.monotonic()
    say = Progress(out)
    say.line(f"starting {nodes} nodes (network namespaces), each with keepalived, gobgpd and an agent; a controller,")
    say.line("a client, and a router that runs BIRD")
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(nodes, bgp=True))
        router = stack.enter_context(Bird(lab, bird(nodes)))
        lab.exec("client", "ip", "route", "add", BGP_NETWORK, "via", ROUTER)
        say.line(f"up after {time.monotonic() - began:.1f} s; applying an Eip and a Service for each protocol")
        lab.apply(f"{MANIFESTS}---\n{LAYER2}---\n{BGP}")
        acts = (
            Act("vip", SERVICE, STEPS, lab.converged),
            Act("layer2", "default/arp", LAYER2_STEPS, lambda vip: settled(lab, vip)),
            Act("bgp", "default/routed", BGP_STEPS, lambda vip: served(lab, router, vip)),
        )
        results = [result for act in acts for result in perform(lab, act, say)]
        results = judged(results, lab.audit_text())
    out.write("\n" + table(results) + "\n")
    wrong = sum(bool(result.objection) for result in results)
    said = f"{wrong} of {len(results)} disagree" if wrong else f"client and audit agree on all {len(results)}"
    out.write(f"\n{said}; {time.monotonic() - began:.0f} s; every namespace, process and file of it is gone\n")
    return 1 if wrong else 0


def bird(nodes: int) -> str:
    """BIRD's side: a session with BFD to each node."""
    lines = ['protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; }; }']
    for number in range(1, nodes + 1):
        lines += [
            f"protocol bgp n{number} {{ local {ROUTER} as 65000; neighbor 196.168.223.{number} as 65001; bfd on;",
            "connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export none; }; }",
        ]
    return "\n".join(lines)


def served(lab: Lab, router: Router, vip: str) -> bool:
    """Whether every node announces the address, BFD watches every session, and every agent knows of its own."""
    nodes = lab.nodes()
    return (
        len(router.next_hops(f"{vip}/32")) == router.bfd_up() == len(nodes)
        and len(router.kernel(f"{vip}/32")) == len(nodes)
        and watched(lab.audit_text()) == set(nodes)
    )


def watched(lines: Iterable[str]) -> set[str]:
    """The nodes whose agent runs and has seen its session come up: what becomes of it next is on record."""
    found = set()
    for line in map(read_line, (text.encode() for text in lines)):
        if line is not None and line.event in (Event.AGENT_STARTED, Event.AGENT_STOPPED, Event.BGP_SESSION):
            if line.to == ESTABLISHED:
                found.add(line.node)
            else:
                found.discard(line.node)
    return found


def settled(lab: Lab, vip: str) -> bool:
    """Whether every node has a running agent, and exactly one of them answers for a layer2 address."""
    owners = [
        one["address"]
        for node in lab.objects("VipNode")
        for one in node.get("status", {}).get("layer2", {}).get("addresses", [])
        if one["address"] == vip and one["state"] == "MASTER"
    ]
    nodes = lab.ask("describe")["nodes"].values()
    return len(owners) == 1 and all("agent" in node["alive"] for node in nodes)


def judged(results: Sequence[Result], lines: Sequence[str]) -> list[Result]:
    """Each with what the audit says of it; of BGP it has the sessions."""
    report = audit(lines)
    return [
        one._replace(verdict=compare_sessions(one.seen, lines) if one.protocol == "bgp" else compare(one.seen, report))
        for one in results
    ]


def perform(lab: Lab, act: Act, say: Progress) -> list[Result]:
    """All steps of one act."""
    vip = lab.wait_for_address(act.service)
    lab.wait(lambda: act.rested(vip), f"{vip} is at rest", SETTLE_SECONDS)
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, f"{vip} answers the client", SETTLE_SECONDS)
        say.line(f"{act.protocol}: {act.service} has {vip}; the client asks it every 5 ms; now things go wrong:\n")
        results = [result for step in act.steps for result in play(lab, prober, vip, act, step, say)]
        say.gap()
        return results


def play(lab: Lab, prober: Prober, vip: str, act: Act, step: Step, say: Progress) -> list[Result]:
    """One step, and its mending when that counts as one."""
    victim = prober.holder(vip, lab.macs())
    seen = measure(lab, prober, vip, aim(step.happens, victim), moves=step.moves)
    results = [Result(act.protocol, step.title, seen, step.moves)]
    say.result(results[-1])
    if step.mending:
        time.sleep(SPLIT_SECONDS)
        seen = measure(lab, prober, vip, aim(step.mended, victim), moves=None)
        results.append(Result(act.protocol, step.mending, seen, moves=seen.source != seen.target))
        say.result(results[-1])
    else:
        for name, *nodes in aim(step.mended, victim):
            lab.fault(name, *nodes)
    lab.wait(lambda: act.rested(vip), f"{vip} is at rest, and every agent is back", 2 * SETTLE_SECONDS)
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

    def gap(self) -> None:
        self._out.write("\n")

    def result(self, result: Result) -> None:
        seen = result.seen
        where = f"{seen.source} -> {seen.target}" if seen.source != seen.target else f"stays on {seen.source}"
        self.line(f"{result.title:36} {seen.vip} {where:12}  dark {seen.dark_ms:6.1f} ms")


def table(results: Sequence[Result]) -> str:
    """Fault, VIP, move, the client's measure, the audit's verdict, and whether they agree."""
    head = ("POOL", "FAULT", "VIP", "MOVED", "CLIENT SAW DARK", "AUDIT: CAUSE", "AUDIT: DARK", "AGREE")
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
    return (
        result.protocol,
        result.title,
        seen.vip,
        moved,
        f"{seen.dark_ms:.1f} ms",
        verdict.cause or "no move",
        dark,
        agree,
    )
