"""Linux namespaces and mounts, as far as the lab needs them: thin calls into libc (Python 3.11 has no os.unshare)."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

NEW_MOUNTS: Final = 0x00020000
NEW_PIDS: Final = 0x20000000
NEW_NET: Final = 0x40000000

MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """unshare(2). With NEW_PIDS the next child, not the caller, is PID 1 of the new namespace."""
    _checked(_libc.unshare(flags), "unshare")


def die_with_parent(signal_number: int) -> None:
    """prctl(PR_SET_PDEATHSIG): the kernel sends this signal when the parent is gone, however it went."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    encoded = [part.encode() for part in (source, target, kind)]
    _checked(_libc.mount(*encoded, ctypes.c_ulong(flags), data.encode()), f"mount {source} on {target}")


def bind(source: Path, target: Path) -> None:
    mount(str(source), str(target), flags=MS_BIND | MS_REC)


def keep_mounts_private() -> None:
    """What is mounted from here on stays in this mount namespace."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def mirror(directory: Path, upper: Path, own: Collection[str]) -> None:
    """Show, in this mount namespace alone, `directory` as it is, but with empty folders of our `own`.

    `upper` is an empty folder to build that in. A plain mkdir would leave the mount point on the host.
    """
    for entry in sorted(entry for entry in directory.iterdir() if entry.name not in own):
        copy = upper / entry.name
        if entry.is_symlink():
            copy.symlink_to(entry.readlink())
        elif entry.is_dir():
            copy.mkdir()
            bind(entry, copy)
        elif entry.is_file():
            copy.touch()
            bind(entry, copy)
    for name in own:
        (upper / name).mkdir()
    bind(upper, directory)


def inside(netns: Path | str, act: Callable[[], T]) -> T:
    """What `act` returns (or raises) when it runs in the network namespace `netns`, in a thread that ends with it.

    A socket made there stays there, whoever uses it later. /proc/sys/net is that namespace's too.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with _opened(netns) as fd:
                _checked(_libc.setns(fd, NEW_NET), f"setns {netns}")
            outcome.append(act())
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, whatever it is
            failure.append(error)

    thread = threading.Thread(target=run, name="inside")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


@contextmanager
def _opened(path: Path | str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
