"""Routers of two makers in the lab's router namespace: what they hear from the nodes, and packets forwarded by it.

    with Bird(lab, BIRD_CONFIG) as router:            # or Frr
        lab.wait(lambda: router.next_hops("198.51.100.1/32"), "the VIP is announced")

Both put what they hear into the kernel, several next hops for one prefix (ECMP).
"""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, NamedTuple, Self

from vipmgr.lab.client import Lab
from vipmgr.lab.reaper import open_folder

NAMESPACE: Final = "router"
LEASHED: Final = ("setpriv", "--pdeathsig", "KILL")
"""dies with the nsenter it was started by (FRR, which drops root, only with the lab)"""


class Heard(NamedTuple):
    """One path of one prefix, as a router shows it."""

    next_hop: str
    communities: frozenset[str] = frozenset()
    large: frozenset[str] = frozenset()
    as_path: tuple[int, ...] = ()
    med: int = 0


class Router(ABC):
    """Its processes end with the block, or with the lab."""

    def __init__(self, lab: Lab, config: str) -> None:
        self._lab = lab
        self._config = config
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        place = open_folder(lab.state)  # FRR drops root
        place.mkdir(mode=0o755, exist_ok=True)
        self._temporary = TemporaryDirectory(dir=place)
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> Self:
        self.folder.chmod(0o777)
        for name in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0",
                     "net.ipv4.conf.eth0.send_redirects=0", "net.ipv4.fib_multipath_hash_policy=1",
                     "net.ipv6.fib_multipath_hash_policy=1"):  # fmt: skip
            self._lab.exec(NAMESPACE, "sysctl", "-qw", name)
        self._start()
        self._lab.wait(self._answers, f"{type(self).__name__} answers", 20)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        for log in self._logs:
            log.close()
        self._temporary.cleanup()
        for version in ("-4", "-6"):
            for speaker in ("bird", "bgp"):  # an empty table is an error to ip
                self._ask("ip", version, "route", "flush", "proto", speaker)

    def kernel(self, prefix: str) -> set[str]:
        """The next hops the kernel of the router spreads traffic for that prefix over."""
        version = "-6" if ":" in prefix else "-4"
        routes = json.loads(self._lab.exec(NAMESPACE, "ip", version, "-j", "route", "show", prefix))
        hops = [hop for route in routes for hop in (route.get("nexthops") or [route])]
        return {
            hop["gateway"] if "gateway" in hop else hop["via"]["host"]
            for hop in hops
            if "gateway" in hop or "via" in hop
        }

    @abstractmethod
    def paths(self, prefix: str) -> list[Heard]:
        """What it heard of that prefix."""

    @abstractmethod
    def count(self) -> int:
        """How many prefixes, of both families, it heard."""

    @abstractmethod
    def sessions(self) -> dict[str, str]:
        """The sessions that stand, by the router's name for them; the text is another once a session was lost."""

    @abstractmethod
    def bfd_up(self) -> int:
        """How many BFD sessions are up."""

    def next_hops(self, prefix: str) -> set[str]:
        return {one.next_hop for one in self.paths(prefix)}

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _run(self, *argv: str) -> None:
        log = (self.folder / f"{Path(argv[0]).name}.log").open("ab")
        self._logs.append(log)
        command = self._lab.command(NAMESPACE, [*LEASHED, *argv])
        self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _ask(self, *argv: str) -> str:
        done = subprocess.run(
            self._lab.command(NAMESPACE, argv), capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout


class Bird(Router):
    """BIRD 2; `config` in its own language, without kernel and device protocols."""

    COMMON: Final = """\
log stderr all;
router id 196.168.223.240;
debug protocols { states };
protocol device {}
protocol kernel { learn off; ipv4 { export all; }; merge paths on limit 64; }
protocol kernel { learn off; ipv6 { export all; }; merge paths on limit 64; }
"""

    def _start(self) -> None:
        (self.folder / "bird.conf").write_text(self.COMMON + self._config)
        self._run("bird", "-f", "-c", str(self.folder / "bird.conf"), "-s", str(self._socket))

    def reconfigure(self, config: str) -> None:
        (self.folder / "bird.conf").write_text(self.COMMON + config)
        self._bird("configure")

    def paths(self, prefix: str) -> list[Heard]:
        found: list[dict[str, Any]] = []
        for line in self._bird("show", "route", "for" if "/" not in prefix else prefix, "all").splitlines():
            word, _, rest = line.strip().partition(" ")
            match word:
                case "BGP.as_path:":
                    path = tuple(int(one) for one in rest.split())
                case "BGP.next_hop:":
                    hop = next(one for one in rest.split() if one != "::")  # ":: fe80::1": a link-local one alone
                    found.append({"next_hop": hop, "as_path": path})
                case "BGP.med:":
                    found[-1]["med"] = int(rest)
                case "BGP.community:" | "BGP.large_community:":
                    values = frozenset(one.replace(" ", "").strip("()").replace(",", ":") for one in _groups(rest))
                    found[-1]["communities" if word == "BGP.community:" else "large"] = values
        return [Heard(**one) for one in found]

    def count(self) -> int:
        text = self._bird("show", "route", "count")
        return sum(
            int(line.split(" for ")[1].split()[0])
            for line in text.splitlines()
            if " for " in line and "in table " in line
        )

    def sessions(self) -> dict[str, str]:
        rows = [line.split() for line in self._bird("show", "protocols").splitlines()]
        log = (self.folder / "bird.log").read_text()  # the times BIRD tells of its sessions jitter by a millisecond
        return {
            row[0]: f"{log.count(f' {row[0]}: State changed to up')} times up"
            for row in rows
            if row[-1:] == ["Established"]
        }

    def bfd_up(self) -> int:
        return sum(line.split()[2:3] == ["Up"] for line in self._bird("show", "bfd", "sessions").splitlines())

    def _answers(self) -> bool:
        return "ready" in self._bird("show", "status")

    @property
    def _socket(self) -> Path:
        return self.folder / "bird.ctl"

    def _bird(self, *words: str) -> str:
        return self._ask("birdc", "-s", str(self._socket), *words)


class Frr(Router):
    """FRR: zebra, bgpd and bfdd; `config` in its own language."""

    PLACE: Final = Path("/usr/lib/frr")
    DAEMONS: Final = ("zebra", "bfdd", "bgpd")

    def __exit__(self, *what: object) -> None:
        for name in self.DAEMONS:  # no root, no leash
            self._ask("kill", "-KILL", (self.folder / f"{name}.pid").read_text().strip())
        super().__exit__(*what)

    def _start(self) -> None:
        config = self.folder / "frr.conf"
        config.write_text(f"frr defaults datacenter\nhostname router\n{self._config}")
        for name in self.DAEMONS:
            argv = ["-u", "frr", "-g", "frr", "--vty_socket", self.folder, "-i", self.folder / f"{name}.pid", "-P", "0"]
            argv += [
                "-z",
                self.folder / "zserv.api",
                "-f",
                config if name == "bgpd" else "/dev/null",
                "--log",
                "stdout",
            ]
            if name == "bfdd":
                argv += ["--bfdctl", self.folder / "bfdd.sock"]
            self._run(str(self.PLACE / name), *map(str, argv))
            self._lab.wait((self.folder / f"{name}.vty").exists, f"{name} runs", 20)

    def paths(self, prefix: str) -> list[Heard]:
        kind = "ipv6" if ":" in prefix else "ipv4"
        answer = self._json(f"show bgp {kind} unicast {prefix} json")
        return [
            Heard(
                next(hop["ip"] for hop in path["nexthops"] if hop.get("used", True)),
                frozenset(path.get("community", {}).get("list", ())),
                frozenset(path.get("largeCommunity", {}).get("list", ())),
                tuple(int(one) for one in path["aspath"]["string"].split()),
                path.get("metric", 0),
            )
            for path in answer.get("paths", ())
        ]

    def count(self) -> int:
        return sum(len(self._json(f"show bgp {kind} unicast json").get("routes", {})) for kind in ("ipv4", "ipv6"))

    def sessions(self) -> dict[str, str]:
        peers: dict[str, Any] = self._json("show bgp neighbors json")
        return {
            name: f"{one['connectionsEstablished']} times up, {one['connectionsDropped']} times lost"
            for name, one in peers.items()
            if isinstance(one, dict) and one.get("bgpState") == "Established"
        }

    def bfd_up(self) -> int:
        return self._vtysh("show bfd peers json").count('"status":"up"')

    def _answers(self) -> bool:
        return bool(self._vtysh("show version"))

    def _json(self, question: str) -> Any:
        text = self._vtysh(question)
        return json.loads(text) if text.strip().startswith("{") else {}

    def _vtysh(self, question: str) -> str:
        return self._ask("vtysh", "--vty_socket", str(self.folder), "-c", question)


def _groups(text: str) -> Sequence[str]:
    """ "(1,2) (3, 4, 5)" -> each pair of brackets."""
    return [one + ")" for one in text.split(")") if one.strip()]
