"""What the server writes into Services, and refuses."""

import pytest


def service(name="s", **spec):
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


@pytest.fixture
def services(api):
    return f"{api.namespaced}/services"


async def test_defaults_of_a_plain_service(api, services):
    spec = (await api.made(services, service()))["spec"]
    assert (spec["type"], spec["sessionAffinity"], spec["internalTrafficPolicy"]) == ("ClusterIP", "None", "Cluster")
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert spec["clusterIP"].startswith("10.96.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


async def test_a_local_load_balancer_gets_a_health_check_node_port(api, services):
    body = await api.made(services, service(type="LoadBalancer", externalTrafficPolicy="Local"))
    assert 30000 <= body["spec"]["healthCheckNodePort"] <= 32767
    assert body["spec"]["ports"][0]["nodePort"] != body["spec"]["healthCheckNodePort"]
    assert body["status"] == {"loadBalancer": {}}
    _, body = await api.merge(f"{services}/s", {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in body["spec"]


async def test_node_ports_can_be_done_without(api, services):
    body = await api.made(services, service(type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert "nodePort" not in body["spec"]["ports"][0]


async def test_dual_stack_gets_two_addresses(api, services):
    spec = (await api.made(services, service(ipFamilyPolicy="PreferDualStack")))["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert [":" in ip for ip in spec["clusterIPs"]] == [False, True]


async def test_numbers_are_unique_and_come_back(api, services):
    bodies = [await api.made(services, service(f"s{number}", type="NodePort")) for number in range(5)]
    ports = [body["spec"]["ports"][0]["nodePort"] for body in bodies]
    assert len(set(ports)) == 5
    taken = service("again", type="NodePort", ports=[{"port": 80, "nodePort": ports[0]}])
    assert (await api.create(services, taken))[0] == 422
    await api.call("DELETE", f"{services}/s0")
    assert (await api.create(services, taken))[0] == 201


async def test_leaving_load_balancer_clears_what_belongs_to_it(api, services):
    await api.made(services, service(type="LoadBalancer", loadBalancerClass="vipmgr.io/vip"))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.5"}]}}}
    _, body = await api.merge(f"{services}/s/status", status)
    assert body["status"]["loadBalancer"]["ingress"][0]["ip"] == "10.0.0.5"
    _, body = await api.merge(f"{services}/s", {"spec": {"type": "ClusterIP"}})
    assert body["status"] == {"loadBalancer": {}}
    gone = {"loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"}
    assert not gone & body["spec"].keys()
    assert "nodePort" not in body["spec"]["ports"][0]


async def test_the_status_of_a_service_takes_annotations_along_and_no_spec(api, services):
    await api.made(services, service(type="LoadBalancer"))
    change = {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {"type": "ClusterIP"},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.5"}]}},
    }
    status, body = await api.merge(f"{services}/s/status", change)
    assert (status, body["spec"]["type"], body["metadata"]["annotations"]) == (200, "LoadBalancer", {"a": "b"})
    _, body = await api.merge(f"{services}/s", {"status": {"loadBalancer": None}})
    assert body["status"]["loadBalancer"]["ingress"][0]["ip"] == "10.0.0.5"


async def test_an_address_that_is_none_is_refused_in_the_status(api, services):
    await api.made(services, service(type="LoadBalancer"))
    status, _ = await api.merge(f"{services}/s/status", {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0"}]}}})
    assert status == 422


async def test_a_put_keeps_the_numbers_it_does_not_name(api, services):
    body = await api.made(services, service(type="LoadBalancer", externalTrafficPolicy="Local"))
    again = service(type="LoadBalancer", externalTrafficPolicy="Local", clusterIP=body["spec"]["clusterIP"])
    again["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"]
    _, kept = await api.call("PUT", f"{services}/s", again)
    assert kept["spec"]["ports"][0]["nodePort"] == body["spec"]["ports"][0]["nodePort"]
    assert kept["spec"]["healthCheckNodePort"] == body["spec"]["healthCheckNodePort"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}, "spec.ports[1]"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2}]}, "spec.ports[1].name"),
        ({"loadBalancerClass": "a.b/c"}, "spec.loadBalancerClass"),
        ({"type": "Nonsense"}, "spec.type"),
        ({"externalTrafficPolicy": "Local"}, "spec.externalTrafficPolicy"),
    ],
)
async def test_wrong_services_are_refused_by_field(api, services, spec, field):
    status, answer = await api.create(services, service(**spec))
    assert status == 422
    assert field in [cause["field"] for cause in answer["details"]["causes"]]


async def test_the_class_may_not_change_once_set(api, services):
    await api.made(services, service(type="LoadBalancer", loadBalancerClass="a.b/c"))
    status, answer = await api.merge(f"{services}/s", {"spec": {"loadBalancerClass": "a.b/d"}})
    assert status == 422
    assert "may not change once set" in answer["message"]
