"""Starts a lab inside namespaces that live exactly as long as its first process, and sweeps up after it.

    python -m vipmgr.lab.reaper --state DIR [--owner-fd N] -- ARGUMENTS OF vipmgr.lab.cluster

The lab's first process is PID 1 of a PID namespace and holds the mount and network namespaces of the lab. When it ends,
by whatever signal, the kernel kills every process of the lab and frees its namespaces, links, addresses and mounts. It
ends when its parent, this process, does (PR_SET_PDEATHSIG), and this process ends it when the owner is gone: the owner
holds the other end of the pipe `--owner-fd`, which closes however the owner dies, unless it has said that the lab is to
stay. What is left for us to remove is two folders; if we are killed too, the next lab finds the lock free and removes
them.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from vipmgr.lab import namespaces

LOCK: Final = "lock"
LOG: Final = "lab.log"
PID: Final = "pid"
"""the lab's first process, as those outside know it"""
OPEN: Final = ".open"
STAY: Final = b"s"
"""what an owner writes into its pipe to leave a lab that is up to itself"""
GRACE_SECONDS: Final = 3.0
WORDS_SHOWN: Final = 3000


def open_folder(state: Path) -> Path:
    """Beside the lab's folder, which is root's alone: for programs that drop root. It goes when the lab does."""
    return state.with_name(f"{state.name}{OPEN}")


def in_use(state: Path) -> bool:
    """Whether a living reaper holds this folder."""
    try:
        fd = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def reaper_of(state: Path) -> int:
    """The process id that a living reaper wrote into its lock; 0 when it has not yet."""
    return int((state / LOCK).read_text() or "0")


def _claim(state: Path) -> int:
    """Make the folder ours; what dead labs left is removed first.

    Returns: the descriptor that holds the lock. Raises FileExistsError when a living lab has it.
    """
    state.parent.mkdir(mode=0o755, exist_ok=True)
    with _alone(state.parent):
        if in_use(state):
            raise FileExistsError(f"lab {state.name} is already up: vipmgr lab down --name {state.name}")
        for left in state.parent.iterdir():
            if not in_use(left.with_name(left.name.removesuffix(OPEN))):
                shutil.rmtree(left, ignore_errors=True)
        state.mkdir(mode=0o700)
        fd = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)  # who asks `in_use` holds it for a moment
        os.write(fd, str(os.getpid()).encode())
    return fd


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other reaper claims or clears here meanwhile."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _become_lab(state: Path, parent: int, arguments: Sequence[str]) -> None:
    """In the child: enter the lab's own namespaces and become its first process. Does not return.

    `parent`: the end of a pipe whose other end the parent alone holds.
    """
    namespaces.die_with_parent(signal.SIGKILL)
    if select.select([parent], [], [], 0)[0]:  # it was gone before we asked
        os._exit(1)
    os.setsid()
    log = os.open(state / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(outside, True)
    namespaces.unshare(namespaces.NEW_MOUNTS | namespaces.NEW_NET)
    namespaces.keep_mounts_private()
    for directory, own in (("/run", ("vipmgr", "netns")), ("/var/lib", ("vipmgr",))):
        upper = state / "upper" / directory.strip("/").replace("/", "-")
        upper.mkdir(parents=True)
        namespaces.mirror(Path(directory), upper, own)
    namespaces.mount("proc", "/proc", "proc")
    namespaces.mount("sysfs", "/sys", "sysfs")
    (state / "tmp").mkdir()
    os.environ["TMPDIR"] = str(state / "tmp")
    command = [sys.executable, "-m", "vipmgr.lab.cluster", "--state", str(state), "--outside-fd", str(outside)]
    os.execv(sys.executable, [*command, *arguments])  # noqa: S606 - our own program


@contextlib.contextmanager
def _told(*numbers: signal.Signals) -> Iterator[int]:
    """A descriptor that becomes readable when one of these signals arrives."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    yield reading
    signal.set_wakeup_fd(-1)


def _watch(child: int, owner: int | None) -> int:
    """Until the lab ends, or its owner does, or we are told to end it. Returns the lab's exit status."""
    lab = os.pidfd_open(child)
    with _told(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as told:
        poll = select.poll()
        for fd in (lab, told) if owner is None else (lab, told, owner):
            poll.register(fd, select.POLLIN | select.POLLHUP)
        while owner in dict(poll.poll()) and owner is not None and os.read(owner, 1) == STAY:
            poll.unregister(owner)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(lab, signal.SIGTERM)
            ended = select.poll()
            ended.register(lab, select.POLLIN)
            if not ended.poll(GRACE_SECONDS * 1000):
                signal.pidfd_send_signal(lab, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="reaper")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--owner-fd", type=int)
    parser.add_argument("arguments", nargs="*")
    args = parser.parse_args(argv)
    try:
        _claim(args.state)
    except FileExistsError as error:
        print(error, file=sys.stderr)
        return 2
    namespaces.unshare(namespaces.NEW_PIDS)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        if args.owner_fd is not None:
            os.close(args.owner_fd)
        try:
            _become_lab(args.state, reading, args.arguments)
        except OSError:
            traceback.print_exc()
        finally:
            os._exit(1)
    (args.state / PID).write_text(str(child))
    status = _watch(child, args.owner_fd)
    if status not in (0, -signal.SIGKILL):
        with contextlib.suppress(OSError):
            print((args.state / LOG).read_text()[-WORDS_SHOWN:], file=sys.stderr)
    for folder in (open_folder(args.state), args.state):
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
