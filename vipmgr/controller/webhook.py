"""The admission webhook over HTTPS: AdmissionReview in, a verdict out.

Its judgement is `core.pools`', the same the controller goes by; it only says so earlier. When it is down objects are
let through (failurePolicy Ignore) and the controller refuses them by condition and Event.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from vipmgr.controller.certificates import Certificates, load, renew, server_context
from vipmgr.controller.endpoints import Listener
from vipmgr.controller.settings import Settings
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client, Patch
from vipmgr.kube.errors import ConflictError, NotFoundError
from vipmgr.kube.objects import Secret
from vipmgr.kube.resources import SECRETS, WEBHOOKS
from vipmgr.log import get_log

log = get_log(__name__)

PATH: Final = "/validate"
_LOOK_EVERY: Final = 60.0
_FIELDS: Final = {"authorities": "ca.crt", "authority_key": "ca.key", "certificate": "tls.crt", "key": "tls.key"}


class Kind(msgspec.Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class Request(msgspec.Struct, rename="camel"):
    """admission.k8s.io/v1 AdmissionRequest, as far as it is judged. Objects stay raw until their kind is known."""

    uid: str
    operation: str
    kind: Kind = msgspec.field(default_factory=Kind)
    name: str = ""
    object: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    old_object: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class Review(msgspec.Struct):
    request: Request


Judge = Callable[[Request], Sequence[str]]
"""What is wrong with the request, each a sentence its author can act on; nothing when it may pass."""


def webhook_app(judge: Judge) -> web.Application:
    async def validate(http: web.Request) -> web.Response:
        try:
            request = msgspec.json.decode(await http.read(), type=Review).request
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"not an AdmissionReview: {error}\n")
        return web.json_response(_verdict(request, judge(request)))

    app = web.Application(client_max_size=4 << 20)
    app.add_routes([web.post(PATH, validate)])
    return app


def _verdict(request: Request, problems: Sequence[str]) -> dict[str, Any]:
    response: dict[str, Any] = {"uid": request.uid, "allowed": not problems}
    if problems:
        log.info("admission.refused", kind=request.kind.kind, name=request.name, problems=list(problems))
        response["status"] = {"code": 422, "reason": "Invalid", "message": "; ".join(problems)}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


class Webhook:
    """Serves on every replica; only the leader makes certificates and publishes their authority."""

    def __init__(self, client: Client, settings: Settings, judge: Judge) -> None:
        self._client = client
        self._settings = settings
        self._judge = judge
        self._current: Certificates | None = None
        self._context: ssl.SSLContext | None = None
        self._listener: Listener | None = None
        self._wake = asyncio.Event()

    @property
    def port(self) -> int:
        """0 until it listens, which needs the first certificate."""
        return self._listener.port if self._listener else 0

    async def serve(self) -> None:
        """Listen with the certificates of the Secret, and with newer ones as they appear, until cancelled."""
        try:
            while True:
                try:
                    found, _ = await self._read()
                except TemporaryError as error:
                    log.info("webhook.secret_unread", error=str(error))
                    found = None
                if found is not None and found != self._current:
                    await self._use(found)
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY if self._current else 2.0):
                        await self._wake.wait()
        finally:
            if self._listener is not None:
                await self._listener.stop()

    async def maintain(self, client: Client) -> None:
        """The leader's part: renew what runs out and publish the authority; `client` is fenced."""
        while True:
            pause = _LOOK_EVERY
            try:
                await self._publish(client, await self._renewed(client))
            except ConflictError:
                pause = 1.0
            except TemporaryError as error:
                log.warning("webhook.not_maintained", error=str(error))
                pause = 5.0
            self._wake.set()
            await asyncio.sleep(pause)

    async def _use(self, certificates: Certificates) -> None:
        if self._context is None:
            self._context = server_context(certificates)
            self._listener = Listener(webhook_app(self._judge), self._settings.webhook_listen, self._context)
            await self._listener.start()
            log.info("webhook.listening", port=self._listener.port)
        else:
            load(self._context, certificates)
            log.info("webhook.certificate_renewed")
        self._current = certificates

    async def _read(self) -> tuple[Certificates | None, str]:
        """What the Secret holds (None: nothing usable) and its resourceVersion ("": there is none)."""
        try:
            secret = await self._client.get(SECRETS, self._settings.webhook_name, self._settings.namespace)
        except NotFoundError:
            return None, ""
        return _certificates(secret), secret.metadata.resource_version

    async def _renewed(self, client: Client) -> Certificates:
        current, version = await self._read()
        name, namespace = self._settings.webhook_name, self._settings.namespace
        hosts = [f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local", *self._settings.webhook_hosts]
        wanted = await asyncio.to_thread(renew, current, hosts, datetime.now(UTC))
        if wanted == current:
            return wanted
        data = {field: base64.b64encode(getattr(wanted, at)).decode() for at, field in _FIELDS.items()}
        if version:
            body: dict[str, Any] = {"metadata": {"resourceVersion": version}, "data": data}
            await client.patch(SECRETS, name, body, namespace=namespace)
        else:
            body = {"metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "data": data}
            await client.create(SECRETS, body, namespace=namespace)
        return wanted

    async def _publish(self, client: Client, certificates: Certificates) -> None:
        """Put the authority where the API server looks for it."""
        try:
            configuration = await self._client.get(WEBHOOKS, self._settings.webhook_name)
        except NotFoundError:
            return
        bundle = base64.b64encode(certificates.authorities).decode()
        operations: list[dict[str, Any]] = []
        for index, one in enumerate(configuration.webhooks or []):
            if one.client_config.get("caBundle") != bundle:
                operations.append({"op": "test", "path": f"/webhooks/{index}/name", "value": one.name})
                path = f"/webhooks/{index}/clientConfig/caBundle"
                operations.append({"op": "add", "path": path, "value": bundle})
        if operations:
            await client.patch(WEBHOOKS, self._settings.webhook_name, operations, kind=Patch.JSON)
            log.info("webhook.authority_published", webhooks=len(operations) // 2)


def _certificates(secret: Secret) -> Certificates | None:
    data = secret.data or {}
    try:
        return Certificates(**{at: base64.b64decode(data[field], validate=True) for at, field in _FIELDS.items()})
    except (KeyError, binascii.Error):
        return None
