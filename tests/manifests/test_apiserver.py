"""The same manifests through an API server over HTTP: what is stored, defaulted, refused and printed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.manifests.folder import MANIFESTS, documents
from vipmgr.lab.apiserver import ApiServer, read_definitions

Json = dict[str, Any]
EIPS = "/apis/network.kubesphere.io/v1alpha2/eips"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MERGE = "application/merge-patch+json"


class Api:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> tuple[int, Json]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, path, json=body, headers=named) as response:
            return response.status, await response.json()

    async def create(self, one: Json) -> tuple[int, Json]:
        group = f"/apis/{one['apiVersion']}" if "/" in one["apiVersion"] else f"/api/{one['apiVersion']}"
        namespace = one["metadata"].get("namespace")
        where = f"{group}/namespaces/{namespace}" if namespace else group
        return await self.call("POST", f"{where}/{one['kind'].lower()}s?fieldValidation=Strict", one)


@pytest.fixture
async def api():
    async with (
        ApiServer(definitions=read_definitions(MANIFESTS / "crds")) as server,
        aiohttp.ClientSession(server.url) as session,
    ):
        yield Api(session)


def eip(name: str = "pool", **spec: Any) -> Json:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": "10.0.0.1", **spec},
    }


@pytest.mark.parametrize("path", sorted((MANIFESTS / "samples").glob("*.yaml")), ids=lambda path: path.stem)
async def test_a_sample_is_stored_as_it_is_written(api, path):
    for one in documents(path):
        status, stored = await api.create(one)
        assert status == 201, stored
        assert (
            stored["spec"].items() >= {k: v for k, v in one["spec"].items() if not isinstance(v, dict | list)}.items()
        )


async def test_everything_kustomize_installs_is_stored(api):
    installed = documents(MANIFESTS / "kustomization.yaml")[0]["resources"]
    plurals = {
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies", "PodDisruptionBudget": "poddisruptionbudgets"
    }  # fmt: skip
    for one in (one for name in installed if "crds/" not in name for one in documents(MANIFESTS / name)):
        group = f"/apis/{one['apiVersion']}" if "/" in one["apiVersion"] else f"/api/{one['apiVersion']}"
        namespace = one["metadata"].get("namespace")
        where = f"{group}/namespaces/{namespace}" if namespace else group
        plural = plurals.get(one["kind"], one["kind"].lower() + "s")
        status, stored = await api.call("POST", f"{where}/{plural}", one)
        assert status == 201, stored


async def test_defaults_are_filled_in_where_a_part_is_given(api):
    _, stored = await api.create(eip(protocol="vip", interface="eth0", vrrp={"preempt": True}))
    assert stored["spec"]["vrrp"] == {
        "preempt": True, "advertInterval": "100ms", "preemptDelay": "0s", "members": 3,
        "virtualRouterIDs": "1-255", "garpRefresh": "30s", "trafficHealth": True,
    }  # fmt: skip
    _, bare = await api.create(eip("bare"))
    assert bare["spec"] == {"address": "10.0.0.1", "protocol": "bgp", "autoAssign": True}


@pytest.mark.parametrize(
    ("candidate", "field", "message"),
    [
        (eip(address="10.0.0.2-10.0.0.1"), "spec.address", "a range must not end before it begins"),
        (eip(protocol="vip"), "spec", "interface is required when protocol is layer2 or vip"),
        (eip(vrrp={"advertInterval": "5ms"}), "spec.vrrp.advertInterval", "must be a duration from 10ms to 40.95s"),
        (eip(vrrp={"members": 0}), "spec.vrrp.members", "Invalid value: 0"),
        (eip(addresses=["10.0.0.0/33"]), "spec.addresses[0]", "must be an address, a CIDR or a range"),
    ],
)
async def test_a_refusal_names_the_field_and_says_what_to_write(api, candidate, field, message):
    status, refusal = await api.create(candidate)
    assert status == 422
    assert f"{field}: " in refusal["message"]
    assert message in refusal["message"]


async def test_a_misspelt_field_is_not_silently_dropped(api):
    status, refusal = await api.create(eip(adress="10.0.0.9"))
    assert status == 400
    assert 'unknown field "spec.adress"' in refusal["message"]


async def test_the_address_cannot_be_changed_and_ranges_can_only_be_added(api):
    await api.create(eip(addresses=["10.1.0.0/24"]))

    async def change(**spec: Any) -> int:
        status, _ = await api.call("PATCH", f"{EIPS}/pool", {"spec": spec}, Content_Type=MERGE)
        return status

    assert await change(address="10.0.0.2") == 422
    assert await change(addresses=None) == 422
    assert await change(addresses=["10.2.0.0/24"]) == 422
    assert await change(addresses=["10.1.0.0/24", "10.2.0.0/24"]) == 200
    assert await change(disable=True) == 200


async def test_status_is_written_by_its_own_path_only(api):
    await api.create(eip())
    status = {"status": {"usage": 1, "poolSize": 1, "used": {"10.0.0.1": "default/web"}}}
    _, ignored = await api.call("PATCH", f"{EIPS}/pool", status, Content_Type=MERGE)
    assert "status" not in ignored
    _, stored = await api.call("PATCH", f"{EIPS}/pool/status", status, Content_Type=MERGE)
    assert stored["status"] == status["status"]


async def test_kubectl_get_eip_prints_what_openelb_prints(api):
    await api.create(eip(address="10.0.0.0/28"))
    body = {"status": {"usage": 2, "poolSize": 16}}
    await api.call("PATCH", f"{EIPS}/pool/status", body, Content_Type=MERGE)
    _, table = await api.call("GET", EIPS, Accept=TABLE)
    shown = [index for index, column in enumerate(table["columnDefinitions"]) if not column.get("priority")]
    assert [table["columnDefinitions"][index]["name"].upper() for index in shown] == ["NAME", "CIDR", "USAGE", "TOTAL"]
    assert [table["rows"][0]["cells"][index] for index in shown] == ["pool", "10.0.0.0/28", 2, 16]
