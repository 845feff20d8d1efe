"""x-kubernetes-validations: CEL rules of a custom resource's schema, with the functions Kubernetes adds to CEL.

Source: "Common Expression Language in Kubernetes", kubernetes.io/docs/reference/using-api/cel.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cel
from cel.stdlib import add_stdlib_to_context

from vipmgr.lab.apiserver.errors import Object, cause

_RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_ESCAPES: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_ABSENT: Final = object()


def _address(text: str) -> Object:
    address = ipaddress.ip_address(text)
    if getattr(address, "ipv4_mapped", None) or "%" in text:
        raise ValueError(f"IP Address {text!r} must be a plain IPv4 or IPv6 address")
    return {"ip": str(address)}


def _network(text: str) -> Object:
    network = ipaddress.ip_interface(text)
    if "/" not in text:
        raise ValueError(f"network address parse error during conversion from string: {text!r}")
    return {"cidr": f"{network.ip}/{network.network.prefixlen}"}


def _network_of(value: Object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_interface(value["cidr"]).network


def _valid(parse: Callable[[str], Object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _family(value: Object) -> int:
    return ipaddress.ip_interface(value.get("ip") or value["cidr"]).version


def _contains_ip(value: Object, inner: Object | str) -> bool:
    text = inner if isinstance(inner, str) else inner["ip"]
    return ipaddress.ip_address(text) in _network_of(value)


def _contains_cidr(value: Object, inner: Object | str) -> bool:
    outer, other = _network_of(value), _network_of(_network(inner) if isinstance(inner, str) else inner)
    return outer.version == other.version and other.subnet_of(outer)  # type: ignore[arg-type]


def _masked(value: Object) -> Object:
    return {"cidr": str(_network_of(value))}


def _flag(name: str) -> Callable[[Object], bool]:
    return lambda value: bool(getattr(ipaddress.ip_address(value["ip"]), name))


def _find(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    return match.group() if match else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group() for match in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "ip": lambda value: _address(value["cidr"].partition("/")[0]) if isinstance(value, dict) else _address(value),
    "cidr": _network,
    "isIP": _valid(_address),
    "isCIDR": _valid(_network),
    "isCanonical": lambda _library, text: _valid(_address)(text) and str(ipaddress.ip_address(text)) == text,
    "family": _family,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda value: _network_of(value).prefixlen,
    "masked": _masked,
    "isUnspecified": _flag("is_unspecified"),
    "isLoopback": _flag("is_loopback"),
    "isLinkLocalMulticast": lambda value: value["ip"].startswith(("224.0.0.", "ff02:", "ff12:")),
    "isLinkLocalUnicast": _flag("is_link_local"),
    "isGlobalUnicast": lambda value: not any(_flag(name)(value) for name in ("is_unspecified", "is_loopback",
                                                                             "is_multicast", "is_link_local")),
    "find": _find,
    "findAll": _find_all,
    "isSorted": lambda items: all(a <= b for a, b in itertools.pairwise(items)),
    "sum": sum,
}  # fmt: skip


@dataclass(frozen=True)
class _Rule:
    program: cel.Program
    text: str
    message: str
    message_expression: cel.Program | None
    reason: str
    field_path: str
    transition: bool
    optional_old: bool


@dataclass(frozen=True)
class _Place:
    """Rules of one level of the schema, and the levels below it that have any."""

    schema: Mapping[str, Any]
    rules: tuple[_Rule, ...]
    properties: Mapping[str, _Place]
    others: _Place | None
    items: _Place | None


class Rules:
    """All rules of one schema, compiled."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._place = _compile(schema)
        self._names: dict[str, Any] = {}
        self._context = cel.Context()
        add_stdlib_to_context(self._context)
        for name, function in _FUNCTIONS.items():
            self._context.add_function(name, function)
        self._context.set_variable_resolver(self._names.get)

    def broken(self, body: Object, old: Object | None) -> Iterator[Object]:
        """Causes, one for each rule that does not hold. `old`: the object before an update."""
        if self._place is not None:
            yield from self._walk(self._place, body, _ABSENT if old is None else old, "")

    def _walk(self, place: _Place, value: Any, old: Any, path: str) -> Iterator[Object]:
        if value is None:
            return
        yield from self._ask(place, value, old, path)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, part in value.items():
                below = place.properties.get(name, place.others)
                if below is not None:
                    at = f"{path}.{name}" if path else name
                    yield from self._walk(below, part, before.get(name, _ABSENT), at)
        elif isinstance(value, list) and place.items is not None:
            for index, part in enumerate(value):
                yield from self._walk(place.items, part, _same_item(place.schema, part, old), f"{path}[{index}]")

    def _ask(self, place: _Place, value: Any, old: Any, path: str) -> Iterator[Object]:
        for rule in place.rules:
            if rule.transition and old is _ABSENT and not rule.optional_old:
                continue
            self._bind(place.schema, value, old, optional=rule.optional_old)
            try:
                if rule.program.execute(self._context) is True:
                    continue
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                text = f'Invalid value: "{_kind_of(value)}": rule evaluation error: {rule.text}: {error}'
                yield cause(path, text)
                continue
            field = f"{path}{rule.field_path}".removeprefix(".")
            yield cause(field, f'Invalid value: "{_kind_of(value)}": {self._message(rule)}', rule.reason)

    def _bind(self, schema: Mapping[str, Any], value: Any, old: Any, *, optional: bool) -> None:
        self._names.clear()
        self._names |= {"self": _to_cel(schema, value), "ip": "ip", "cidr": "cidr"}
        if optional:
            held = old is not _ABSENT
            self._names["oldSelf"] = cel.OptionalValue.of(_to_cel(schema, old)) if held else cel.OptionalValue.none()
        elif old is not _ABSENT:
            self._names["oldSelf"] = _to_cel(schema, old)

    def _message(self, rule: _Rule) -> str:
        if rule.message_expression is not None:
            try:
                return str(rule.message_expression.execute(self._context))
            except (KeyError, ValueError, TypeError, RuntimeError):
                return rule.message or f"failed rule: {rule.text}"
        return rule.message or f"failed rule: {rule.text}"


def _compile(schema: Mapping[str, Any]) -> _Place | None:
    """None when there is no rule at this level or below. ValueError for a rule that does not parse."""
    rules = tuple(_rule(rule) for rule in schema.get("x-kubernetes-validations", ()))
    below = {name: _compile(part) for name, part in schema.get("properties", {}).items()}
    properties = {name: place for name, place in below.items() if place is not None}
    others, items = schema.get("additionalProperties"), schema.get("items")
    place = _Place(
        schema,
        rules,
        properties,
        _compile(others) if isinstance(others, dict) else None,
        _compile(items) if isinstance(items, dict) else None,
    )
    return place if rules or properties or place.others or place.items else None


def _rule(rule: Mapping[str, Any]) -> _Rule:
    program = cel.compile(rule["rule"])
    expression = rule.get("messageExpression")
    return _Rule(
        program=program,
        text=rule["rule"].strip(),
        message=rule.get("message", ""),
        message_expression=cel.compile(expression) if expression else None,
        reason=rule.get("reason", "FieldValueInvalid"),
        field_path=rule.get("fieldPath", ""),
        transition="oldSelf" in program.variables(),
        optional_old=bool(rule.get("optionalOldSelf")),
    )


def _same_item(schema: Mapping[str, Any], item: Any, old: Any) -> Any:
    """The item of the old list with the same keys. Only map lists can be compared item by item."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list) or not isinstance(item, dict):
        return _ABSENT
    same = (before for before in old if all(before.get(key) == item.get(key) for key in keys))
    return next(same, _ABSENT)


def _to_cel(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with CEL's types (number is a double) and Kubernetes' escaped names."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        rest = others if isinstance(others, dict) else {}
        return {
            _escaped(name) if name in properties else name: _to_cel(properties.get(name, rest), part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_to_cel(schema.get("items", {}), part) for part in value]
    if schema.get("type") == "number" and isinstance(value, int):
        return float(value)
    return value


def _escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    for plain, escape in _ESCAPES:
        name = name.replace(plain, escape)
    return name


def _kind_of(value: Any) -> str:
    names = ((dict, "object"), (list, "array"), (bool, "boolean"), (int, "integer"), (float, "number"))
    return next((name for kind, name in names if isinstance(value, kind)), value if isinstance(value, str) else "null")
