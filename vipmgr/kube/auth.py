"""Signing in: where the API server is and how to prove who we are.

`kubernetes` does the work for a kubeconfig (tokens, client certificates, exec plugins, OIDC); it costs 20 MB and half a
second to import, so it is imported only then, in a thread. Inside a cluster the token is a file that the kubelet
renews: it is read again every minute.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vipmgr.errors import FatalError

SERVER_VARIABLE: Final = "VIPMGR_API_SERVER"
"""a plain URL (http://127.0.0.1:8001) that needs no credentials: kubectl proxy, the lab"""
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_READ_AGAIN_AFTER: Final = 60.0


@dataclass
class Access:
    """The API server and a way in. `read` gives the value of the Authorization header, or "" for none."""

    server: str
    tls: ssl.SSLContext | None = None
    tls_server_name: str | None = None
    proxy: str | None = None
    read: Callable[[], Awaitable[str]] | None = None
    _authorization: str = ""
    _read_at: float = field(default=float("-inf"))

    async def authorization(self) -> str:
        """The Authorization header, at most a minute old."""
        if self.read is not None and time.monotonic() - self._read_at > _READ_AGAIN_AFTER:
            self._authorization = await self.read()
            self._read_at = time.monotonic()
        return self._authorization

    def expire(self) -> None:
        """The server did not accept it (401): read it again before the next request."""
        self._read_at = float("-inf")


async def sign_in(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """Find the API server: the kubeconfig given, $VIPMGR_API_SERVER, $KUBECONFIG, the pod's account, ~/.kube/config.

    Raises:
        FatalError: there is none of these, or it cannot be used.
    """
    if not kubeconfig and not context and (server := os.environ.get(SERVER_VARIABLE)):
        return Access(server.rstrip("/"))
    if kubeconfig or context or os.environ.get("KUBECONFIG") or not _in_cluster():
        return await asyncio.to_thread(_from_kubeconfig, kubeconfig, context)
    return await asyncio.to_thread(_from_account, _ACCOUNT)


def _in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and (_ACCOUNT / "token").exists()


def _from_account(account: Path) -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
    except OSError as error:
        raise FatalError(f"{account}/ca.crt: {error}") from error

    def read() -> str:
        return f"Bearer {(account / 'token').read_text().strip()}"

    async def token() -> str:
        return await asyncio.to_thread(read)

    return Access(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", tls, read=token)


def _from_kubeconfig(path: str | None, context: str | None) -> Access:
    settings = _load(path, context)
    tls = _tls(settings) if settings.host.startswith("https") else None

    def read() -> str:
        # The hook runs an exec plugin or refreshes OIDC when the token has expired.
        return str(settings.get_api_key_with_prefix("BearerToken") or "")

    async def token() -> str:
        return await asyncio.to_thread(read)

    return Access(settings.host.rstrip("/"), tls, settings.tls_server_name, settings.proxy, read=token)


def _load(path: str | None, context: str | None) -> Any:
    from kubernetes.client import Configuration  # noqa: PLC0415 - see the top of this module
    from kubernetes.config import ConfigException, load_kube_config  # noqa: PLC0415

    settings: Any = Configuration()
    load: Any = load_kube_config
    try:
        load(config_file=path, context=context, client_configuration=settings, persist_config=False)
    except (ConfigException, OSError, ValueError) as error:
        raise FatalError(f"kubeconfig {path or os.environ.get('KUBECONFIG') or '~/.kube/config'}: {error}") from error
    return settings


def _tls(settings: Any) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        tls.load_cert_chain(settings.cert_file, settings.key_file)
    return tls
