"""Does the steps of the Dockerfile in Debian roots made by debootstrap, where there is no container engine.

Each stage starts from a copy of one minimal root; RUN runs in a chroot, COPY copies. At the end the image is asked for
its versions. `make image-check` runs it as root; it takes some minutes and needs Debian's packages and PyPI.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
AUTHORITY = "/etc/build-authority.crt"
"""where pip finds the certificates of a network with an authority of its own"""
CHECKS = (
    ["/opt/vipmgr/venv/bin/vipmgr", "--version"],
    ["/opt/vipmgr/venv/bin/vipmgr", "agent", "--help"],
    ["/opt/vipmgr/venv/bin/vipmgr", "controller", "--help"],
    ["sh", "-n", "/opt/vipmgr/keepalived-run.sh"],
    ["sh", "-n", "/opt/vipmgr/gobgpd-run.sh"],
    ["keepalived", "--version"],
    ["gobgpd", "--version"],
)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """(INSTRUCTION, arguments), continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest.strip()


class Stage:
    """A root directory being built. `base` is copied first."""

    def __init__(self, base: Path, root: Path) -> None:
        subprocess.run(["cp", "-a", base, root], check=True)
        self.root = root
        self.folder = "/"
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}

    def run(self, argv: list[str]) -> None:
        passed = {"PIP_CERT": AUTHORITY} if "PIP_CERT" in os.environ else {}
        command = ["chroot", str(self.root), "env", "-C", self.folder, *argv]
        subprocess.run(command, check=True, env=self.environment | passed)

    def copy(self, source: Path, names: list[str], target: str) -> None:
        into = self.root / (Path(self.folder) / target).relative_to("/")
        for name in names:
            found = source / name.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, dirs_exist_ok=True, symlinks=True)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)


def build(dockerfile: str, base: Path, roots: Path) -> Stage:
    """The last stage, after all its steps."""
    stages: dict[str, Stage] = {}
    for word, rest in instructions(dockerfile):
        print(f"==> {word} {rest}", flush=True)
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "image"
            stages[name] = Stage(base, roots / name)
        else:
            take(word, rest, stages)
    return list(stages.values())[-1]


def take(word: str, rest: str, stages: dict[str, Stage]) -> None:
    """One step of the newest stage."""
    stage = list(stages.values())[-1]
    match word:
        case "RUN":
            stage.run(["sh", "-c", rest])
        case "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ENV":
            stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        case "COPY":
            words = shlex.split(rest)
            source = PROJECT
            if words[0].startswith("--from="):
                source = stages[words.pop(0).partition("=")[2]].root
            stage.copy(source, words[:-1], words[-1])
        case "ENTRYPOINT":
            pass
        case other:
            raise SystemExit(f"this script does not know {other}")


def make_base(root: Path) -> None:
    """debian:12-slim, near enough: what debootstrap calls minbase."""
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True, stdout=subprocess.DEVNULL)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if certificates := os.environ.get("PIP_CERT"):
        shutil.copy(certificates, root / AUTHORITY.lstrip("/"))


def main() -> int:
    if shutil.which("debootstrap") is None:
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "debootstrap"], check=True)
    with tempfile.TemporaryDirectory(prefix="vipmgr-image-") as folder:
        base = Path(folder) / "base"
        make_base(base)
        image = build((PROJECT / "Dockerfile").read_text(), base, Path(folder))
        image.folder = "/"
        for argv in CHECKS:
            print(f"==> {shlex.join(argv)}", flush=True)
            image.run(argv)
    print("the image can be built")
    return 0


if __name__ == "__main__":
    sys.exit(main())
