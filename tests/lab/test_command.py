"""vipmgr lab, as typed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vipmgr.lab.client import ROOT, running
from vipmgr.lab.reaper import LOCK

pytestmark = pytest.mark.lab
NAME = f"cmd{os.getpid()}"


def vipmgr(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "vipmgr", "lab", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=120, stdin=subprocess.DEVNULL)


def test_up_status_exec_fault_down():
    up = vipmgr("up", "--nodes", "2", "--name", NAME)
    try:
        kubeconfig = next(line.split("=")[1] for line in up.stdout.splitlines() if "KUBECONFIG" in line)
        assert Path(kubeconfig).stat().st_mode & 0o777 == 0o600
        assert "n1     running" in vipmgr("status", "--name", NAME).stdout
        said = vipmgr("exec", "--name", NAME, "client", "--", "ping", "-c1", "-W2", "196.168.223.2").stdout
        assert "1 received" in said
        assert vipmgr("exec", "--name", NAME, "n2", "--", "sh", "-c", "exit 7", check=False).returncode == 7
        vipmgr("fault", "--name", NAME, "kill", "n2")
        assert "n2     dead" in vipmgr("status", "--name", NAME).stdout
        again = vipmgr("up", "--nodes", "2", "--name", NAME, check=False)
        assert (again.returncode, "already up" in again.stderr) == (1, True)
        wrong = vipmgr("fault", "--name", NAME, "kill", "n7", check=False)
        assert (wrong.returncode, "there is no node 'n7'" in wrong.stderr) == (1, True)
    finally:
        vipmgr("down", "--name", NAME)
    assert NAME not in running()
    assert not (ROOT / NAME).exists()
    gone = vipmgr("status", "--name", NAME, check=False)
    assert (gone.returncode, f"lab {NAME} is not up" in gone.stdout) == (1, True)


def test_status_shows_a_lab_that_does_not_answer_among_those_that_do():
    silent = ROOT / f"{NAME}silent"
    silent.mkdir(parents=True)
    try:
        with (silent / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = vipmgr("status", "--name", silent.name, check=False)
    finally:
        shutil.rmtree(silent)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"lab {silent.name}: lab {silent.name} does not answer" in done.stdout


def test_an_action_on_a_lab_that_is_not_up_names_those_that_are():
    done = vipmgr("exec", "--name", "nosuch", "n1", "--", "true", check=False)
    assert done.returncode == 1
    assert "there is no lab 'nosuch'" in done.stderr


def test_exec_without_a_command_is_a_wrong_call():
    assert vipmgr("exec", "n1", check=False).returncode == 2
