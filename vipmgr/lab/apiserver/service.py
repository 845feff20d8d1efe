"""What the server itself writes into a Service, and what it refuses (core/v1 ServiceSpec, as documented there)."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from vipmgr.lab.apiserver.errors import Object, cause

_NETWORKS: Final = {
    "IPv4": ipaddress.ip_network("10.96.0.0/12")[10],
    "IPv6": ipaddress.ip_network("fd00:10:96::/108")[10],
}
_NODE_PORTS: Final = range(30000, 32768)
_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_EXTERNAL: Final = ("NodePort", "LoadBalancer")


class ServiceNumbers:
    """The cluster IPs and node ports in use, each by the Service ("ns/name") whose spec says so."""

    def __init__(self) -> None:
        self._holder: dict[str | int, str] = {}
        self._held: dict[str, set[str | int]] = {}
        self._ports = itertools.cycle(_NODE_PORTS)
        self._offsets = itertools.count()

    def hold(self, owner: str, spec: Object | None) -> None:
        """`owner` now uses exactly what `spec` says; None: nothing."""
        for number in self._held.pop(owner, ()):
            self._holder.pop(number, None)
        if spec is not None:
            numbers: set[str | int] = {*_cluster_ips(spec), *_node_ports(spec)}
            self._held[owner] = numbers
            self._holder.update(dict.fromkeys(numbers, owner))

    def holder(self, number: str | int) -> str | None:
        return self._holder.get(number)

    def port(self) -> int:
        """A free node port. StopIteration never: 2768 ports, then the first one again (422 by validation)."""
        return next((port for port in itertools.islice(self._ports, len(_NODE_PORTS)) if port not in self._holder), 0)

    def address(self, family: str) -> str:
        return next(text for at in self._offsets if (text := str(_NETWORKS[family] + at)) not in self._holder)


def _cluster_ips(spec: Object) -> list[str]:
    return [ip for ip in spec.get("clusterIPs") or () if ip not in ("", "None")]


def _node_ports(spec: Object) -> list[int]:
    ports = [port.get("nodePort", 0) for port in spec.get("ports") or ()]
    return [port for port in (*ports, spec.get("healthCheckNodePort", 0)) if port]


def complete_service(numbers: ServiceNumbers, body: Object, old: Object | None) -> Object:
    """A copy with the defaults, and the numbers the server gives out."""
    spec = dict(body.get("spec") or {})
    before = (old or {}).get("spec") or {}
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    _leave_type(spec, before)
    spec["ports"] = [_port(port) for port in spec.get("ports") or ()]
    if not spec["ports"]:
        del spec["ports"]
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        _give_addresses(numbers, spec, before)
    if spec["type"] in _EXTERNAL:
        spec.setdefault("externalTrafficPolicy", "Cluster")
        _give_ports(numbers, spec, before)
    result = {**body, "spec": spec}
    status = dict(body.get("status") or {})
    if spec["type"] != "LoadBalancer" or "loadBalancer" not in status:
        status["loadBalancer"] = {}
    return result | {"status": status}


def _leave_type(spec: Object, before: Object) -> None:
    """Drop what the former type had and the new one cannot have, unless the writer changed it too."""
    if spec["type"] not in _EXTERNAL:
        ports = [
            {name: value for name, value in port.items() if name != "nodePort"} for port in spec.get("ports") or ()
        ]
        if before.get("type") in _EXTERNAL:
            spec["ports"] = ports
            if spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
                spec.pop("externalTrafficPolicy", None)
    if spec["type"] != "LoadBalancer" and before.get("type") == "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if not local and spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            spec.pop(name, None)


def _port(port: Object) -> Object:
    result = {"protocol": "TCP", **port}
    result.setdefault("targetPort", port.get("port"))
    return result


def _give_addresses(numbers: ServiceNumbers, spec: Object, before: Object) -> None:
    if spec.get("clusterIPs") is None and spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    given = spec.get("clusterIPs") or []
    families = list(spec.get("ipFamilies") or ())
    if not families:
        families = ["IPv6" if ":" in ip else "IPv4" for ip in given if ip != "None"] or ["IPv4"]
    policy = spec.setdefault("ipFamilyPolicy", "SingleStack" if len(families) < 2 else "RequireDualStack")
    if policy != "SingleStack" and len(families) == 1:
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    if policy == "SingleStack" and before.get("ipFamilyPolicy", policy) != policy:
        families = families[:1]
        given = given[:1]
    spec["ipFamilies"] = families
    if given[:1] != ["None"]:
        given = [*given, *(numbers.address(family) for family in families[len(given) :])]
    spec["clusterIPs"] = given
    spec["clusterIP"] = given[0]


def _give_ports(numbers: ServiceNumbers, spec: Object, before: Object) -> None:
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        if spec["externalTrafficPolicy"] == "Local" and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = before.get("healthCheckNodePort") or numbers.port()
        if not spec["allocateLoadBalancerNodePorts"]:
            return
    held = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        if not port.get("nodePort"):
            port["nodePort"] = held.get((port.get("port"), port["protocol"])) or numbers.port()


def service_problems(numbers: ServiceNumbers, body: Object, old: Object | None) -> Iterator[Object]:
    spec = body["spec"]
    before = (old or {}).get("spec") or {}
    owner = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
    if spec["type"] not in _TYPES:
        names = ", ".join(f'"{name}"' for name in sorted(_TYPES))
        text = f'Unsupported value: "{spec["type"]}": supported values: {names}'
        yield cause("spec.type", text, "FieldValueNotSupported")
    if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield cause("spec.ports", "Required value", "FieldValueRequired")
    yield from _port_problems(spec)
    wanted: list[str | int] = [*_cluster_ips(spec), *_node_ports(spec)]
    for number in wanted:
        if numbers.holder(number) not in (None, owner):
            field = "spec.ports[0].nodePort" if isinstance(number, int) else "spec.clusterIPs"
            yield cause(field, f"Invalid value: {number}: provided {_what(number)} is already allocated")
    yield from _class_problems(spec, before)
    for index, ingress in enumerate((body.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()):
        if (ip := ingress.get("ip")) and not _is_ip(ip):
            text = f'Invalid value: "{ip}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
            yield cause(f"status.loadBalancer.ingress[{index}].ip", text)


def _what(number: str | int) -> str:
    return "port" if isinstance(number, int) else "IP"


def _port_problems(spec: Object) -> Iterator[Object]:
    seen = set()
    ports = spec.get("ports") or ()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        number = port.get("port")
        if not isinstance(number, int) or not 0 < number < 65536:
            yield cause(f"{at}.port", f"Invalid value: {number}: must be between 1 and 65535, inclusive")
        if len(ports) > 1 and not port.get("name"):
            yield cause(f"{at}.name", "Required value", "FieldValueRequired")
        if (key := (number, port["protocol"])) in seen:
            yield cause(at, f"Duplicate value: {number}/{port['protocol']}", "FieldValueDuplicate")
        seen.add(key)


def _class_problems(spec: Object, before: Object) -> Iterator[Object]:
    name = spec.get("loadBalancerClass")
    if name is not None and spec["type"] != "LoadBalancer":
        yield cause(
            "spec.loadBalancerClass", "Forbidden: may only be used when `type` is 'LoadBalancer'", "FieldValueForbidden"
        )
    stays = spec["type"] == before.get("type") == "LoadBalancer"
    if stays and name != before.get("loadBalancerClass"):
        yield cause("spec.loadBalancerClass", f'Invalid value: "{name}": may not change once set')
    if spec["type"] not in _EXTERNAL and spec.get("externalTrafficPolicy"):
        text = f'Invalid value: "{spec["externalTrafficPolicy"]}": may only be set for externally-accessible services'
        yield cause("spec.externalTrafficPolicy", text)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
