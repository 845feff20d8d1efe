"""What the embedded server does in the place of a controller-manager."""

CONFIG_MAPS = "configmaps"


def owned(name, *owners, **metadata):
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references, **metadata}}


async def test_dependents_go_with_their_last_owner(lab):
    collection = f"{lab.namespaced}/{CONFIG_MAPS}"
    first, second = [await lab.made(collection, {"metadata": {"name": name}}) for name in ("first", "second")]
    await lab.made(collection, owned("both", first, second))
    await lab.made(collection, owned("one", first))
    await lab.made(collection, owned("held", first, finalizers=["example.com/hold"]))
    async with lab.watch(f"{collection}/one") as watch:
        assert (await watch.next())[0] == "ADDED"
        await lab.call("DELETE", f"{collection}/first")
        assert (await watch.next())[0] == "DELETED"
    _, both = await lab.get(f"{collection}/both")
    assert [owner["name"] for owner in both["metadata"]["ownerReferences"]] == ["second"]
    _, held = await lab.get(f"{collection}/held")
    assert held["metadata"]["deletionTimestamp"]


async def test_orphans_lose_their_owner_and_stay(lab):
    collection = f"{lab.namespaced}/{CONFIG_MAPS}"
    owner = await lab.made(collection, {"metadata": {"name": "owner"}})
    await lab.made(collection, owned("child", owner))
    await lab.call("DELETE", f"{collection}/owner", {"propagationPolicy": "Orphan"})
    status, child = await lab.get(f"{collection}/child")
    assert (status, child["metadata"]["ownerReferences"]) == (200, [])


async def test_a_dependent_of_a_cluster_scoped_owner_goes_too(lab):
    node = await lab.made("/api/v1/nodes", {"metadata": {"name": lab.namespace}})
    path = "/apis/vipmgr.io/v1alpha1/vipnodes"
    reference = {"apiVersion": "v1", "kind": "Node", "name": lab.namespace, "uid": node["metadata"]["uid"]}
    await lab.made(path, {"metadata": {"name": lab.namespace, "ownerReferences": [reference]}, "spec": {}})
    async with lab.watch(f"{path}/{lab.namespace}") as watch:
        assert (await watch.next())[0] == "ADDED"
        await lab.call("DELETE", f"/api/v1/nodes/{lab.namespace}")
        assert (await watch.next())[0] == "DELETED"


async def test_a_namespace_takes_its_contents_along(lab):
    path = f"/api/v1/namespaces/{lab.namespace}"
    collection = f"{lab.namespaced}/{CONFIG_MAPS}"
    await lab.made(collection, {"metadata": {"name": "plain"}})
    await lab.made(collection, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    async with lab.watch(path) as watch:
        assert (await watch.next())[0] == "ADDED"
        _, body = await lab.call("DELETE", path)
        assert body["status"]["phase"] == "Terminating"
        assert (await watch.next())[1]["metadata"]["deletionTimestamp"]
        status, answer = await lab.create(collection, {"metadata": {"name": "late"}})
        assert (status, answer["reason"]) == (403, "Forbidden")
        await lab.merge(f"{collection}/held", {"metadata": {"finalizers": None}})
        assert (await watch.next())[0] == "DELETED"
    assert (await lab.get(f"{collection}/plain"))[0] == 404
