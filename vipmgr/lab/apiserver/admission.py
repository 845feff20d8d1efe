"""Validating webhooks, really called."""

from __future__ import annotations

import base64
import ssl
import uuid
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from vipmgr.lab.apiserver.errors import Object, StatusError
from vipmgr.lab.apiserver.events import to_view
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.selectors import label_matches
from vipmgr.lab.apiserver.store import Store

if TYPE_CHECKING:
    from vipmgr.lab.apiserver.objects import Target, Write

CONFIGURATIONS: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"


class Admission:
    """Asks the webhooks of every ValidatingWebhookConfiguration in the store whether a write may pass.

    `services`: where the Service of a webhook is reached, "ns/name" -> (host, port), as there is no service network;
    without an entry the first ready address of its EndpointSlices is called.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.services: dict[str, tuple[str, int]] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def review(
        self, kind: Kind, operation: str, target: Target, new: Object | None, old: Object | None, write: Write
    ) -> None:
        """Raise what the first refusing webhook says. A webhook configuration itself is never asked about."""
        if kind.group == "admissionregistration.k8s.io":
            return
        for record in self._store.all(CONFIGURATIONS):
            for hook in record.object.get("webhooks") or ():
                if self._concerns(hook, kind, operation, target, new or old or {}):
                    await self._ask(hook, _request(kind, operation, target, new, old, write), write)

    def _concerns(self, hook: Object, kind: Kind, operation: str, target: Target, body: Object) -> bool:
        rules = hook.get("rules") or ()
        if not any(_rule_matches(rule, kind, operation, target.subresource) for rule in rules):
            return False
        if not label_matches(hook.get("objectSelector") or {}, body.get("metadata", {}).get("labels") or {}):
            return False
        if not kind.namespaced:
            return True
        namespace = self._store.get("namespaces", ("", target.namespace))
        labels = (namespace.object["metadata"].get("labels") or {}) if namespace else {}
        return label_matches(hook.get("namespaceSelector") or {}, labels)

    async def _ask(self, hook: Object, request: Object, write: Write) -> None:
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
        try:
            answer = await self._post(hook, review)
            response = answer["response"]
            if response["uid"] != request["uid"]:
                raise ValueError(f"expected response.uid={request['uid']}, got {response['uid']}")
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, OSError) as error:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return
            text = f'Internal error occurred: failed calling webhook "{hook["name"]}": {error or type(error).__name__}'
            raise StatusError(500, "InternalError", text) from error
        write.warnings.extend(response.get("warnings") or ())
        if not response.get("allowed"):
            raise _denied(hook["name"], response.get("status") or {})

    async def _post(self, hook: Object, review: Object) -> Any:
        config = hook["clientConfig"]
        url, host = self._address(config)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=hook.get("timeoutSeconds", 10))
        context = self._context(config.get("caBundle", ""))
        async with self._session.post(url, json=review, ssl=context, server_hostname=host, timeout=timeout) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)

    def _address(self, config: Object) -> tuple[str, str | None]:
        """The URL to call, and the name its certificate must bear when that is not the URL's host."""
        if "url" in config:
            return config["url"], None
        service = config["service"]
        name = f"{service['namespace']}/{service['name']}"
        host, port = self.services.get(name) or self._endpoint(service)
        authority = f"[{host}]" if ":" in host else host
        path = service.get("path", "/")
        return f"https://{authority}:{port}{path}", f"{service['name']}.{service['namespace']}.svc"

    def _endpoint(self, service: Object) -> tuple[str, int]:
        for record in self._store.all("endpointslices.discovery.k8s.io", service["namespace"]):
            body = record.object
            if (body["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != service["name"]:
                continue
            for endpoint in body.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True) and body.get("ports"):
                    return endpoint["addresses"][0], body["ports"][0]["port"]
        raise ValueError(f'no endpoints available for service "{service["name"]}"')

    def _context(self, bundle: str) -> ssl.SSLContext:
        if bundle not in self._contexts:
            pem = base64.b64decode(bundle).decode() if bundle else None
            self._contexts[bundle] = ssl.create_default_context(cadata=pem)
        return self._contexts[bundle]


def _rule_matches(rule: Object, kind: Kind, operation: str, subresource: str) -> bool:
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    wildcards = {"*/*", f"{kind.plural}/*", *([f"*/{subresource}"] if subresource else ["*"])}
    scope = rule.get("scope", "*")
    return (
        bool({"*", kind.group} & set(rule.get("apiGroups", ())))
        and bool({"*", kind.version} & set(rule.get("apiVersions", ())))
        and bool({"*", operation} & set(rule.get("operations", ())))
        and bool({resource, *wildcards} & set(rule.get("resources", ())))
        and scope in ("*", "Namespaced" if kind.namespaced else "Cluster")
    )


def _request(
    kind: Kind, operation: str, target: Target, new: Object | None, old: Object | None, write: Write
) -> Object:
    body = new or old or {}
    resource = {"group": kind.group, "version": kind.version, "resource": kind.plural}
    named = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {
        "uid": str(uuid.uuid4()),
        "kind": named,
        "resource": resource,
        "subResource": target.subresource,
        "requestKind": named,
        "requestResource": resource,
        "name": body.get("metadata", {}).get("name", target.name),
        "namespace": target.namespace,
        "operation": operation,
        "userInfo": {"username": write.user, "groups": ["system:masters", "system:authenticated"]},
        "object": to_view(kind, new) if new else None,
        "oldObject": to_view(kind, old) if old else None,
        "dryRun": write.dry_run,
        "options": None,
    }


def _denied(name: str, result: Object) -> StatusError:
    denied = f'admission webhook "{name}" denied the request'
    message, reason = result.get("message"), result.get("reason", "")
    text = f"{denied}: {message or reason}" if message or reason else f"{denied} without explanation"
    return StatusError(max(result.get("code", 0), 400), reason, text, result.get("details"))
