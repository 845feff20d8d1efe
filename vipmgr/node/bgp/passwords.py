"""TCP MD5 passwords: read from the API server by the agent that needs them, kept in memory alone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from vipmgr.core.node_bgp import IN_PEER, NodeBgpPeer
from vipmgr.kube.client import ApiError, Client, ForbiddenError, NotFoundError
from vipmgr.kube.resources import BGP_PEERS, SECRETS
from vipmgr.log import get_log

log = get_log(__name__)

REFRESH_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 3.0
UNREADABLE: Final = (NotFoundError, ForbiddenError, ValueError)
"""what stays so until somebody mends it"""


class Passwords:
    """`of(peer)`: "" for a session without one, None while it is not known. `client`: None until there is an API."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._known: dict[tuple[str, str, int], str] = {}
        self._tried: frozenset[tuple[str, str, int]] = frozenset()
        self._read_at = 0.0
        self.client: Client | None = None
        self.problems: dict[str, str] = {}
        """BgpPeer -> why its password cannot be read, naming the field"""

    def of(self, peer: NodeBgpPeer) -> str | None:
        return self._known.get(_key(peer)) if peer.password else ""

    async def refresh(self, peers: Iterable[NodeBgpPeer], now: float) -> bool:
        """Read what is not known, and once a minute those in Secrets again. True: something changed. An API server that
        does not answer leaves everything as it was."""
        wanted = {_key(peer): peer for peer in peers if peer.password}
        pause = REFRESH_SECONDS if wanted.keys() <= self._known.keys() else AGAIN_SECONDS
        if self.client is None or (wanted.keys() <= self._tried and now < self._read_at + pause):
            return False
        before = (self._known, self.problems)
        self._read_at, self._tried = now, frozenset(wanted)
        self._known = {key: text for key, text in self._known.items() if key in wanted}
        self.problems = {}
        for key, peer in wanted.items():
            if key in self._known and peer.password == IN_PEER:
                continue
            try:
                self._known[key] = await self._read(self.client, peer)
            except UNREADABLE as error:
                field = "spec.conf.authPassword" if peer.password == IN_PEER else "spec.passwordSecret"
                self.problems[peer.name] = f"{field}: {error}"
            except ApiError as error:
                log.warning("bgp_password.not_read", peer=peer.name, error=str(error))
                if peer.name in before[1]:
                    self.problems[peer.name] = before[1][peer.name]
        return (self._known, self.problems) != before

    async def _read(self, client: Client, peer: NodeBgpPeer) -> str:
        if peer.password == IN_PEER:
            return (await client.get(BGP_PEERS, peer.name)).spec.conf.auth_password
        _, name, key = peer.password.split("/", 2)
        secret = await client.get(SECRETS, name, self._namespace)
        text = (secret.data or {}).get(key)
        if not text:
            raise ValueError(f"Secret {self._namespace}/{name} has no entry {key}")
        try:
            return base64.b64decode(text, validate=True).decode().rstrip("\n")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(f"entry {key} of Secret {self._namespace}/{name} is no text") from None


def _key(peer: NodeBgpPeer) -> tuple[str, str, int]:
    return peer.name, peer.password, peer.password_generation
