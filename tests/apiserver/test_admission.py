"""Validating webhooks: a real HTTPS server is asked, with its certificate checked."""

import base64
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from vipmgr.controller.certificates import renew, server_context

EIPS = "/apis/network.kubesphere.io/v1alpha2/eips"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class Hook:
    """Keeps what it was asked; `answer` makes the response out of a request."""

    def __init__(self, authority):
        self.authority = base64.b64encode(authority).decode()
        self.asked = []
        self.answer = lambda request: {"allowed": True}
        self.port = 0

    async def meanwhile(self):
        """What else happens while the webhook thinks."""

    async def handle(self, request):
        review = await request.json()
        self.asked.append(review["request"])
        await self.meanwhile()
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})


@asynccontextmanager
async def serving(*hosts):
    certificates = renew(None, hosts, datetime.now(UTC))
    hook = Hook(certificates.authorities)
    runner = web.ServerRunner(web.Server(hook.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificates)).start()
    hook.port = runner.addresses[0][1]
    try:
        yield hook
    finally:
        await runner.cleanup()


@pytest.fixture
async def hook():
    async with serving("127.0.0.1") as one:
        yield one


def configuration(api, hook, **changes):
    client = {"url": f"https://127.0.0.1:{hook.port}/validate", "caBundle": hook.authority}
    rule = {"apiGroups": ["network.kubesphere.io"], "apiVersions": ["v1alpha2"], "resources": ["eips"],
            "operations": ["CREATE", "UPDATE", "DELETE"]}  # fmt: skip
    one = {"name": "eips.example.com", "clientConfig": client, "rules": [rule], "sideEffects": "None",
           "admissionReviewVersions": ["v1"], "timeoutSeconds": 2, "failurePolicy": "Fail"}  # fmt: skip
    one["objectSelector"] = {"matchLabels": {"mine": api.namespace}}
    return {"metadata": {"name": api.namespace}, "webhooks": [one | changes]}


def eip(api):
    metadata = {"name": api.namespace, "labels": {"mine": api.namespace}}
    return {"metadata": metadata, "spec": {"address": "10.0.0.0/24"}}


async def test_a_webhook_sees_every_kind_of_write(embedded, lab, hook):
    await lab.made(HOOKS, configuration(lab, hook))
    await lab.made(EIPS, eip(lab))
    await lab.merge(f"{EIPS}/{lab.namespace}", {"spec": {"priority": 2}})
    await lab.merge(f"{EIPS}/{lab.namespace}/status", {"status": {"usage": 1}})
    await lab.call("DELETE", f"{EIPS}/{lab.namespace}", dryRun="All")
    await lab.call("DELETE", f"{EIPS}/{lab.namespace}")
    asked = [(one["operation"], one["dryRun"]) for one in hook.asked]
    assert asked == [("CREATE", False), ("UPDATE", False), ("DELETE", True), ("DELETE", False)]
    update, delete = hook.asked[1], hook.asked[3]
    assert update["object"]["spec"]["priority"] == 2
    assert "priority" not in update["oldObject"]["spec"]
    assert (delete["object"], delete["oldObject"]["metadata"]["name"]) == (None, lab.namespace)
    assert update["userInfo"]["username"] == "kubernetes-admin"
    assert update["resource"] == {"group": "network.kubesphere.io", "version": "v1alpha2", "resource": "eips"}


async def test_a_refusal_is_passed_on_with_code_and_words(lab, hook):
    await lab.made(HOOKS, configuration(lab, hook))
    hook.answer = lambda request: {"allowed": False, "status": {"code": 403, "reason": "Forbidden", "message": "no!"}}
    status, answer = await lab.create(EIPS, eip(lab))
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"] == 'admission webhook "eips.example.com" denied the request: no!'
    assert (await lab.get(f"{EIPS}/{lab.namespace}"))[0] == 404


async def test_warnings_reach_the_client(lab, hook):
    await lab.made(HOOKS, configuration(lab, hook))
    hook.answer = lambda request: {"allowed": True, "warnings": ["mind the gap"]}
    await lab.made(EIPS, eip(lab))
    assert "mind the gap" in lab.headers["Warning"]


@pytest.mark.parametrize(("policy", "code"), [("Fail", 500), ("Ignore", 201)])
async def test_a_webhook_that_cannot_be_reached_follows_its_policy(lab, hook, policy, code):
    body = configuration(lab, hook, failurePolicy=policy)
    body["webhooks"][0]["clientConfig"]["url"] = "https://127.0.0.1:1/validate"
    await lab.made(HOOKS, body)
    status, answer = await lab.create(EIPS, eip(lab))
    assert status == code, answer


async def test_a_webhook_with_another_certificate_is_not_trusted(lab, hook):
    other = renew(None, ["127.0.0.1"], datetime.now(UTC)).authorities
    body = configuration(lab, hook)
    body["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(other).decode()
    await lab.made(HOOKS, body)
    status, answer = await lab.create(EIPS, eip(lab))
    assert (status, hook.asked) == (500, [])
    assert "failed calling webhook" in answer["message"]


async def test_what_the_rules_do_not_name_is_not_asked(lab, hook):
    body = configuration(lab, hook)
    body["webhooks"][0]["rules"][0]["operations"] = ["DELETE"]
    await lab.made(HOOKS, body)
    await lab.made(EIPS, eip(lab))
    assert hook.asked == []


@pytest.mark.parametrize("endpoints", [False, True])
async def test_a_webhook_behind_a_service_is_found(embedded, lab, endpoints):
    name = f"hook.{lab.namespace}.svc"
    async with serving(name) as hook:
        body = configuration(lab, hook)
        service = {"namespace": lab.namespace, "name": "hook", "path": "/validate"}
        body["webhooks"][0]["clientConfig"] = {"service": service, "caBundle": hook.authority}
        await lab.made(HOOKS, body)
        if endpoints:
            labels = {"kubernetes.io/service-name": "hook"}
            found = {"metadata": {"name": "hook-1", "labels": labels}, "addressType": "IPv4"}
            found |= {"ports": [{"port": hook.port}], "endpoints": [{"addresses": ["127.0.0.1"]}]}
            await lab.made(f"/apis/discovery.k8s.io/v1/namespaces/{lab.namespace}/endpointslices", found)
        else:
            embedded.admission.services[f"{lab.namespace}/hook"] = ("127.0.0.1", hook.port)
        await lab.made(EIPS, eip(lab))
        assert len(hook.asked) == 1


async def test_the_object_is_looked_at_again_after_the_webhook(embedded, lab, hook):
    await lab.made(EIPS, eip(lab))
    await lab.made(HOOKS, configuration(lab, hook))
    path = f"{EIPS}/{lab.namespace}"

    async def write_meanwhile():
        if len(hook.asked) == 1:
            await lab.merge(f"{path}/status", {"status": {"usage": 3}})

    hook.meanwhile = write_meanwhile
    status, after = await lab.merge(path, {"spec": {"priority": 9}})
    assert (status, after["spec"]["priority"], after["status"]["usage"]) == (200, 9, 3)
    assert len(hook.asked) == 2
