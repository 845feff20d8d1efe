"""The operator's commands against an API server: what they print, what they write, and how they end."""

import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.diary import Diary
from vipmgr.cli.main import main
from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client
from vipmgr.kube.resources import EIPS, NAMESPACES, NODES, PODS, VIP_NODES, VRRP_INSTANCES
from vipmgr.lab.apiserver import ApiServer, read_definitions
from vipmgr.lab.apiserver.reading import LOG_ANNOTATION

CRDS = Path(__file__).parents[2] / "manifests" / "crds"
SINCE = "2026-11-22T21:00:00.000000Z"


class Town:
    """An API server in a thread of its own, so that commands can run their own event loop here."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = ApiServer(definitions=read_definitions(CRDS))
        self.do(self.server.start())

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def close(self) -> None:
        self.do(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def tell(self, act):
        """Run `act(client)`, a coroutine function."""

        async def connected():
            async with Client(Access(self.server.url)) as client:
                return await act(client)

        return self.do(connected())

    def make(self, resource, name, *, status=None, namespace="", **body):
        metadata = {"name": name, **body.pop("metadata", {})}

        async def act(client):
            await client.create(resource, {"metadata": metadata, **body}, namespace=namespace)
            if status is not None:
                await client.patch(resource, name, {"status": status}, namespace=namespace, subresource="status")

        self.tell(act)

    def change(self, resource, name, **status):
        self.tell(lambda client: client.patch(resource, name, {"status": status}, subresource="status"))

    def annotations(self, resource, name):
        return self.tell(lambda client: client.get(resource, name)).metadata.annotations or {}

    def node(self, name, states):
        instances = [
            {"name": one, "state": state, "priority": 254, "since": SINCE, "transitions": 2}
            for one, state in states.items()
        ]
        spec = [
            {"name": one, "eip": "pool", "interface": "eth0", "family": "IPv4", "virtualRouterID": 51, "priority": 254,
             "anchor": "169.254.1.1", "advertIntervalMs": 100}
            for one in states
        ]  # fmt: skip
        self.make(
            VIP_NODES,
            name,
            spec={"revision": "r1", "instances": spec},
            status={
                "revision": "r1",
                "keepalived": {"running": True},
                "instances": instances,
                "interfaces": [{"name": "eth0", "mac": f"02:00:00:00:00:0{name[-1]}", "up": True}],
            },
        )
        self.make(NODES, name, status={"conditions": [{"type": "Ready", "status": "True"}]})

    def instance(self, name, members, master, vips):
        self.make(
            VRRP_INSTANCES,
            name,
            spec={
                "eip": "pool",
                "interface": "eth0",
                "family": "IPv4",
                "virtualRouterID": 51,
                "anchor": "169.254.1.1",
                "members": [{"node": one, "priority": 254 - 2 * rank} for rank, one in enumerate(members)],
                "vips": vips,
            },
            status={"master": master, "masters": [master], "since": SINCE, "transitions": 4},
        )


@contextmanager
def town_of_three(monkeypatch):
    town = Town()
    monkeypatch.setenv("VIPMGR_API_SERVER", town.server.url)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    try:
        town.make(EIPS, "pool", spec={"address": "10.0.0.1-10.0.0.9", "protocol": "vip", "interface": "eth0"})
        town.change(EIPS, "pool", usage=2, poolSize=9, ready=True, used={"10.0.0.5": "a/web;a/api", "10.0.0.6": "b/db"})
        town.node("n1", {"pool-0": "BACKUP", "pool-1": "MASTER"})
        town.node("n2", {"pool-0": "MASTER", "pool-1": "BACKUP"})
        town.node("n3", {"pool-0": "BACKUP"})
        town.instance("pool-0", ["n1", "n2", "n3"], "n2", ["10.0.0.5"])
        town.instance("pool-1", ["n1", "n2"], "n1", ["10.0.0.6"])
        yield town
    finally:
        town.close()


@pytest.fixture
def town(monkeypatch):
    with town_of_three(monkeypatch) as made:
        yield made


def vipmgr(capsys, *words):
    """(exit status, standard output, standard error)"""
    status = main(words)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_status_shows_holder_next_and_pools_when_all_is_well(town, capsys):
    status, out, _ = vipmgr(capsys, "status")
    assert status == 0
    assert out.startswith("All well: 2 addresses in use, 3 nodes at work.")
    [row] = [line.split() for line in out.splitlines() if line.startswith("pool-0")]
    assert row[1] == "n2"
    assert row[3:] == ["n1", "4", "10.0.0.5"]
    assert "2 of 9" in out
    assert "\x1b" not in out


def test_status_says_first_what_is_wrong(town, capsys):
    town.change(VRRP_INSTANCES, "pool-0", masters=["n1", "n2"], contested=True)
    town.change(VRRP_INSTANCES, "pool-1", master="", masters=[])
    town.change(VIP_NODES, "n3", refused={"revision": "r1", "message": "unknown keyword 'x'"})
    status, out, _ = vipmgr(capsys, "status")
    assert status == 3
    assert out.splitlines()[:3] == [
        "instance pool-0: two masters: n1 and n2 both hold 10.0.0.5",
        "instance pool-1: nobody holds 10.0.0.6",
        "node n3: refused its plan, keeps the last good one: unknown keyword 'x'",
    ]


def test_status_as_json_is_whole(town, capsys):
    _, out, _ = vipmgr(capsys, "status", "-o", "json")
    view = json.loads(out)
    assert [one["masters"] for one in view["instances"]] == [["n2"], ["n1"]]
    assert view["instances"][0]["since"] == SINCE
    assert [one["name"] for one in view["nodes"]] == ["n1", "n2", "n3"]


@pytest.mark.parametrize("question", ["10.0.0.5", "a/web", "a/api"])
def test_where_finds_an_address_by_itself_and_by_each_of_its_services(town, capsys, question):
    status, out, _ = vipmgr(capsys, "where", question, "-o", "json")
    assert status == 0
    [place] = json.loads(out)
    assert (place["nodes"], place["interface"], place["mac"]) == (["n2"], "eth0", "02:00:00:00:00:02")
    assert (place["instance"], place["next"], place["services"]) == ("pool-0", "n1", ["a/web", "a/api"])


def test_where_helps_with_a_name_mistyped(town, capsys):
    status, _, err = vipmgr(capsys, "where", "a/wbe")
    assert status == 2
    assert "did you mean a/web?" in err
    assert vipmgr(capsys, "where", "10.0.0.500")[0] == 2


def test_where_says_that_nobody_answers(town, capsys):
    town.change(VRRP_INSTANCES, "pool-1", master="", masters=[])
    status, out, _ = vipmgr(capsys, "where", "10.0.0.6")
    assert status == 3
    assert "nobody" in out


class Agents(threading.Thread):
    """Plays agents and controller for one wish: waits for the annotation, then changes the statuses."""

    def __init__(self, town, resource, name, annotation, then):
        super().__init__()
        self.town, self.resource, self.name_, self.annotation, self.then = town, resource, name, annotation, then

    def run(self):
        while self.annotation not in self.town.annotations(self.resource, self.name_):
            pass
        self.then()


def test_drain_waits_until_the_agent_says_so_and_tells_what_moved(town, capsys):
    def hand_over():
        town.change(VRRP_INSTANCES, "pool-0", master="n1", masters=["n1"], since="2099-01-01T00:00:00.000000Z")
        town.change(VIP_NODES, "n2", drained=True)

    agents = Agents(town, VIP_NODES, "n2", "vipmgr.io/drain", hand_over)
    agents.start()
    status, out, _ = vipmgr(capsys, "drain", "n2")
    agents.join()
    assert status == 0
    assert out.splitlines()[0] == "n2 is drained"
    assert "n2 -> n1" in out


def test_drain_that_is_not_confirmed_fails_and_stays_asked_for(town, capsys):
    status, _, err = vipmgr(capsys, "drain", "n2", "--timeout", "300ms")
    assert status == 1
    assert "not drained after 300ms" in err
    assert town.annotations(VIP_NODES, "n2") == {"vipmgr.io/drain": "true"}


def test_drain_refuses_to_leave_an_address_in_the_dark(town, capsys):
    town.change(VIP_NODES, "n2", instances=[])
    status, _, err = vipmgr(capsys, "drain", "n1")
    assert status == 1
    assert "nobody else stands by for pool-1" in err
    assert town.annotations(VIP_NODES, "n1") == {}
    assert vipmgr(capsys, "drain", "n1", "--force", "--no-wait")[0] == 0
    assert town.annotations(VIP_NODES, "n1") == {"vipmgr.io/drain": "true"}


def test_an_unknown_node_is_answered_with_the_nearest_one(town, capsys):
    status, _, err = vipmgr(capsys, "drain", "n22")
    assert status == 2
    assert "no node n22; did you mean n2?" in err


def test_undrain_takes_the_wish_back_and_waits(town, capsys):
    assert vipmgr(capsys, "undrain", "n2") == (0, "n2 is not drained\n", "")
    vipmgr(capsys, "drain", "n2", "--no-wait")
    assert vipmgr(capsys, "undrain", "n2")[:2] == (0, "n2 may hold VIPs again\n")
    assert town.annotations(VIP_NODES, "n2") == {}


def test_rebalance_shows_and_then_asks_only_for_what_is_not_where_planned(town, capsys):
    status, out, _ = vipmgr(capsys, "rebalance", "--dry-run")
    assert status == 0
    assert [line.split() for line in out.splitlines()[1:]] == [["pool-0", "n2", "->", "n1", "10.0.0.5"]]
    assert town.annotations(VRRP_INSTANCES, "pool-0") == {}

    agents = Agents(
        town,
        VRRP_INSTANCES,
        "pool-0",
        "vipmgr.io/rebalance",
        lambda: town.change(VRRP_INSTANCES, "pool-0", master="n1", masters=["n1"]),
    )
    agents.start()
    status, _, _ = vipmgr(capsys, "rebalance", "--eip", "pool")
    agents.join()
    assert status == 0
    assert town.annotations(VRRP_INSTANCES, "pool-1") == {}
    assert "every instance is held" in vipmgr(capsys, "rebalance")[1]


def agent_pod(town, folder, diary, name=""):
    """The pod of that node's agent, and its log with what is in the diary; more may be appended."""
    name = name or f"agent-{diary.node}"
    log = folder / f"{name}.log"
    log.write_bytes(b"\n".join([b'{"event":"agent.ready"}', *diary.lines]) + b"\n")
    labels = {"app.kubernetes.io/name": "vipmgr", "app.kubernetes.io/component": "agent"}
    town.make(
        PODS,
        name,
        namespace="vipmgr-system",
        metadata={"labels": labels, "annotations": {LOG_ANNOTATION: str(log)}},
        spec={"nodeName": diary.node, "containers": [{"name": "agent", "image": "x"}]},
    )
    return log


def agents_of_a_drained_pair(town, folder):
    """The diaries of n1, which was drained, and of n2, which took over; their pods."""
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n1.go(0.0, "MASTER")
    n2.go(0.0, "BACKUP", "started")
    n1.go(10.0, "FAULT", "drained")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    town.make(NAMESPACES, "vipmgr-system")
    for diary in (n1, n2):
        agent_pod(town, folder, diary)
    return n1, n2


def test_audit_reads_the_agents_logs_through_the_cluster(town, capsys, tmp_path):
    agents_of_a_drained_pair(town, tmp_path)
    status, out, _ = vipmgr(capsys, "audit", "-o", "json")
    assert status == 0
    [move] = json.loads(out)["failovers"]
    assert (move["from"], move["to"], move["cause"]) == ("n1", "n2", "drained")


def test_a_cluster_that_does_not_answer_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("VIPMGR_API_SERVER", "http://127.0.0.1:1")
    status, out, err = vipmgr(capsys, "status")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "no cluster answers at http://127.0.0.1:1" in err


def record(tmp_path, split=False, lost=False):
    """Two audit files."""
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n1.go(0.0, "MASTER")
    n2.go(0.0, "BACKUP", "started")
    n2.seq += lost
    n2.go(10.0, "MASTER", "advertisement-timeout")
    if split:
        n1.go(15.0, "BACKUP", "higher-priority-heard")
    for diary in (n1, n2):
        (tmp_path / f"{diary.node}.jsonl").write_bytes(b"\n".join(diary.lines) + b"\n")
    return [str(tmp_path / "n1.jsonl"), str(tmp_path / "n2.jsonl")]


@pytest.mark.parametrize(("what", "expected"), [({}, 0), ({"split": True}, 3), ({"lost": True}, 4)])
def test_audit_ends_with_the_status_its_help_promises(tmp_path, capsys, what, expected):
    assert vipmgr(capsys, "audit", *record(tmp_path, **what))[0] == expected


def test_audit_says_first_what_is_worst(tmp_path, capsys):
    out = vipmgr(capsys, "audit", *record(tmp_path, split=True))[1].splitlines()
    assert out[0] == "All 1 instances have one owner now. 1 failovers, 1 split brains, 0 times without an owner."
    assert out[2] == "SPLIT BRAIN"
    assert "n1 + n2" in out[4]
    assert "5000ms" in out[4]


def test_audit_reads_standard_input_and_keeps_to_what_is_asked(tmp_path, capsys, monkeypatch):
    files = record(tmp_path)
    whole = tmp_path / "both"
    whole.write_bytes(b"".join(Path(one).read_bytes() for one in files))
    with whole.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        out = vipmgr(capsys, "audit", "-", "-o", "yaml", "--vip", "10.0.0.5")[1]
    assert "cause: node-lost" in out
    asked = (
        ("--vip", "address 10.0.0.6", "10.0.0.5"),
        ("--node", "node n3", "n1, n2"),
        ("--instance", "instance j", "i"),
    )
    for option, about, known in asked:
        _, out, err = vipmgr(capsys, "audit", *files, "-o", "yaml", option, about.split()[1])
        assert "failovers: []" in out
        assert f"nothing in the record is about {about}; it knows {known}\n" in err
    assert "failovers: []" in vipmgr(capsys, "audit", *files, "-o", "yaml", "--since", "2030-01-01T00:00:00Z")[1]


def test_audit_tells_which_sessions_fell_and_which_addresses_had_no_next_hop_left(tmp_path, capsys):
    n1 = Diary("n1")
    session = {"peer": "tor", "address": "192.0.2.1"}
    n1.write(1.0, "bgp.session", **session, **{"from": "OPENCONFIRM"}, to="ESTABLISHED")
    n1.write(1.0, "bgp.announced", vips=["198.51.100.1"])
    n1.write(10.0, "bgp.session", **session, **{"from": "ESTABLISHED"}, to="IDLE", reason="bfd")
    n1.write(12.0, "bgp.session", **session, **{"from": "OPENCONFIRM"}, to="ESTABLISHED")
    (tmp_path / "n1.jsonl").write_bytes(b"\n".join(n1.lines) + b"\n")
    status, out, _ = vipmgr(capsys, "audit", str(tmp_path / "n1.jsonl"))
    assert status == 5
    first, *rest = out.splitlines()
    assert first == "0 failovers, 0 split brains, 1 times without an owner, 1 BGP sessions lost."
    rows = {title: rest[rest.index(title) + 2].split("  ")[1:] for title in rest if title.isupper()}
    assert [word.strip() for word in rows["BGP SESSIONS LOST"] if word] == [
        "2000ms",
        "n1",
        "tor (192.0.2.1)",
        "bfd",
        "1",
    ]
    assert [word.strip() for word in rows["WITHOUT AN OWNER"] if word] == ["2000ms", "bgp", "n1", "bfd", "198.51.100.1"]
    found = json.loads(vipmgr(capsys, "audit", str(tmp_path / "n1.jsonl"), "-o", "json")[1])
    [hop] = found["hops"]
    assert (hop["node"], hop["left"], hop["cause"], hop["vips"]) == ("n1", [], "bfd", ["198.51.100.1"])
    assert found["sessions"][0]["until"] > found["sessions"][0]["since"]
    assert (
        json.loads(vipmgr(capsys, "audit", str(tmp_path / "n1.jsonl"), "-o", "json", "--instance", "i")[1])["hops"]
        == []
    )


@pytest.mark.parametrize(
    "words",
    [["/no/such/file"], ["--since", "yesterday"], ["--clock-error", "5"], ["--node=a", "--node=b"], ["--vip=10.0.0.x"]],
)
def test_audit_called_wrongly_says_which_word_is_wrong(words, tmp_path, capsys):
    status, _, err = vipmgr(capsys, "audit", *([*record(tmp_path), *words] if words[0][0] == "-" else words))
    assert status == 2
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty", b"", "no audit line in it"),
        ("noise", bytes(range(256)) * 9, "no audit line in it"),
        ("half", b'{"time":"2026-11-22T21:00:00Z","node":"n1","se', "no audit line in it"),
        ("torn.gz", b"\x1f\x8b\x08\x00torn", ""),
        ("not.gz", b"plain", "Not a gzipped file"),
    ],
)
def test_a_file_that_tells_nothing_does_not_pass_for_all_being_well(tmp_path, capsys, name, content, said):
    (tmp_path / name).write_bytes(content)
    status, out, err = vipmgr(capsys, "audit", str(tmp_path / name))
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert f"{name}: {said}" in err


def test_one_file_of_several_without_a_line_is_a_note(tmp_path, capsys):
    files = record(tmp_path)
    (tmp_path / "n3.log").write_text("Sun Nov 22 18:45:05 2026: Reload complete\n")
    status, out, err = vipmgr(capsys, "audit", *files, str(tmp_path / "n3.log"))
    assert (status, err.count("no audit line in it")) == (0, 1)
    assert out.startswith("All 1 instances")


def test_a_folder_and_a_compressed_file_to_follow_are_refused_with_what_to_do(tmp_path, capsys):
    assert "name the files in it" in vipmgr(capsys, "audit", str(tmp_path))[2]
    (tmp_path / "n1.jsonl.gz").write_bytes(b"")
    status, _, err = vipmgr(capsys, "audit", "--follow", str(tmp_path / "n1.jsonl.gz"))
    assert status == 2
    assert "grows no more" in err


def test_a_bare_log_is_of_the_host_that_its_lines_name_then_of_its_file(tmp_path, capsys):
    message = "Keepalived_vrrp[77]: (V1) Entering MASTER STATE\n"
    (tmp_path / "syslog").write_text(f"Nov 22 18:45:05 lb1 {message}")
    (tmp_path / "lb2.log").write_text(f"Sun Nov 22 18:45:05 2026: {message}")
    for words, nodes in ((["syslog"], ["lb1"]), (["lb2.log"], ["lb2"])):
        found = json.loads(vipmgr(capsys, "audit", *(str(tmp_path / one) for one in words), "-o", "json")[1])
        assert found["nodes"] == nodes
    named = f"--node=lb3={tmp_path / 'syslog'}"
    assert json.loads(vipmgr(capsys, "audit", named, "-o", "json")[1])["nodes"] == ["lb3"]


def test_a_mistyped_command_is_answered_with_the_nearest_and_none_with_all(capsys):
    assert vipmgr(capsys, "statsu") == (2, "", "vipmgr: no command statsu; did you mean status?\n")
    status, out, err = vipmgr(capsys)
    assert (status, out) == (2, "")
    assert "rebalance" in err


class Following(threading.Thread):
    """`vipmgr audit --follow` in a process of its own; `lines`: what it printed."""

    def __init__(self, *words):
        super().__init__()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "vipmgr", "audit", "--follow", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines: queue.Queue[str] = queue.Queue()
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, word):
        while word not in (line := self.lines.get(timeout=20)):
            pass
        return line

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.join()
        self.process.stdout.close()


def test_audit_follows_files_through_rotation_and_half_lines(tmp_path):
    files = record(tmp_path)
    n1, n2 = Diary("n1"), Diary("n2")
    n1.reboot(50.0)
    n1.go(50.0, "BACKUP", "started")
    n2.seq, n2.state["i"] = 2, "MASTER"
    n2.go(60.0, "FAULT", "drained")
    n1.go(60.003, "MASTER", "advertisement-timeout")
    following = Following(*files)
    try:
        assert "n1 -> n2" in following.until("node-lost")
        Path(files[1]).rename(files[1] + ".1")
        Path(files[1]).write_bytes(n2.lines[0] + b"\n")
        with Path(files[0]).open("ab") as file:
            file.write(n1.lines[0] + b"\n" + n1.lines[1][:40])
            file.flush()
            file.write(n1.lines[1][40:] + b"\n")
        assert "n2 -> n1" in following.until("drained")
    finally:
        following.close()


def test_audit_follows_agents_that_appear_later_and_tells_each_finding_once(town, tmp_path):
    n1, n2 = agents_of_a_drained_pair(town, tmp_path)
    following = Following("-o", "json")
    try:
        first = json.loads(following.until("failover"))
        assert (first["from"], first["to"], first["cause"]) == ("n1", "n2", "drained")
        # the agent of n2 is replaced in a rolling update; n3 is new
        n2.lines.clear()
        n2.restart_agent(20.0)
        n2.go(30.0, "FAULT", "drained")
        n3 = Diary("n3", priority=250)
        n3.go(25.0, "BACKUP", "started")
        n3.go(30.003, "MASTER", "advertisement-timeout")
        town.tell(lambda client: client.delete(PODS, "agent-n2", namespace="vipmgr-system"))
        agent_pod(town, tmp_path, n2, "agent-n2-again")
        log = agent_pod(town, tmp_path, n3)
        second = json.loads(following.until("failover"))
        assert (second["from"], second["to"], second["cause"]) == ("n2", "n3", "drained")
        n1.go(35.0, "BACKUP", "recovered")
        n3.go(40.0, "FAULT", "interface-down")
        with (tmp_path / "agent-n1.log").open("ab") as file:
            file.write(n1.lines[-1] + b"\n")
        with log.open("ab") as file:
            file.write(n3.lines[-1] + b"\n")
        third = json.loads(following.until('"finding"'))
        assert (third["finding"], third["last"], third["until"]) == ("noOwner", "n3", None)
        assert following.lines.empty()
    finally:
        following.close()


def test_status_watches_for_changes(town):
    command = [sys.executable, "-m", "vipmgr", "status", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        try:
            assert process.stdout.readline().startswith("All well")
            town.change(VRRP_INSTANCES, "pool-1", master="", masters=[])
            while "nobody holds 10.0.0.6" not in process.stdout.readline():
                assert process.poll() is None
        finally:
            process.terminate()
