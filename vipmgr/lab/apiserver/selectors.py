"""Label and field selectors: text to a question about an object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vipmgr.lab.apiserver.errors import Object, bad_request
from vipmgr.lab.apiserver.kinds import Kind

Question = Callable[[Object], bool]

_REQUIREMENT: Final = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[\w./-]+)
      | (?P<set_key>[\w./-]+)\s+(?P<set_op>in|notin)\s*\((?P<values>[^)]*)\)
      | (?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=|>|<)\s*(?P<value>[\w./-]*))?
    )\s*(?:,|$)""",
    re.VERBOSE,
)
_TERM: Final = re.compile(r"^(?P<path>[^=!]+)(?P<op>==|=|!=)(?P<value>.*)$")


@dataclass(frozen=True)
class Filter:
    """Which objects a list or a watch is about. `name`: when a field selector asks for exactly one name."""

    namespace: str = ""
    name: str = ""
    labels: Question | None = None
    fields: Question | None = None

    def matches(self, body: Object) -> bool:
        metadata = body["metadata"]
        if self.namespace and metadata.get("namespace", "") != self.namespace:
            return False
        if self.name and metadata["name"] != self.name:
            return False
        return (self.labels is None or self.labels(body)) and (self.fields is None or self.fields(body))


def make_filter(kind: Kind, namespace: str, labels: str, fields: str) -> Filter:
    terms = parse_fields(kind, fields)
    exact = [value for path, equal, value in terms if path == "metadata.name" and equal]
    return Filter(
        namespace=namespace,
        name=exact[0] if exact else "",
        labels=label_question(labels) if labels else None,
        fields=field_question(terms) if terms else None,
    )


def label_question(text: str) -> Question:
    """Kubernetes' selector syntax: a=b, a==b, a!=b, a in (b,c), a notin (b), a, !a, a>1, a<1."""
    requirements: list[Callable[[Mapping[str, str]], bool]] = []
    at = 0
    while at < len(text):
        match = _REQUIREMENT.match(text, at)
        if match is None:
            raise bad_request(f"unable to parse requirement: {text[at:]!r}")
        requirements.append(_requirement(match))
        at = match.end()

    def ask(body: Object) -> bool:
        labels = body["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return ask


def _requirement(match: re.Match[str]) -> Callable[[Mapping[str, str]], bool]:
    if match["absent"]:
        return lambda labels: match["absent_key"] not in labels
    if match["set_key"]:
        values = {value.strip() for value in match["values"].split(",")}
        key = match["set_key"]
        if match["set_op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    key, wanted = match["key"], match["value"]
    match match["op"]:
        case None:
            return lambda labels: key in labels
        case "!=":
            return lambda labels: labels.get(key) != wanted
        case ">" | "<" as op:
            return lambda labels: _compare(labels.get(key), op, wanted)
        case _:
            return lambda labels: labels.get(key) == wanted


def _compare(held: str | None, op: str, wanted: str) -> bool:
    if held is None or not held.lstrip("-").isdigit() or not wanted.lstrip("-").isdigit():
        return False
    return int(held) > int(wanted) if op == ">" else int(held) < int(wanted)


def parse_fields(kind: Kind, text: str) -> list[tuple[str, bool, str]]:
    """(path, equal, value) for each term. 400 for a field this kind cannot be selected by."""
    terms = []
    for part in filter(None, text.split(",")):
        match = _TERM.match(part)
        if match is None:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{part}"')
        path = match["path"].strip()
        if path not in ("metadata.name", "metadata.namespace") and path not in kind.fields:
            raise bad_request(
                f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label selector "", '
                f'field selector "{text}": field label not supported: {path}'
            )
        terms.append((path, match["op"] != "!=", match["value"].strip()))
    return terms


def field_question(terms: list[tuple[str, bool, str]]) -> Question:
    split = [(tuple(path.split(".")), equal, value) for path, equal, value in terms]
    return lambda body: all((_text(body, path) == value) == equal for path, equal, value in split)


def _text(body: Object, path: tuple[str, ...]) -> str:
    """The field as selectors see it: absent is the empty string, or "false" for the one boolean there is."""
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return "false" if path == ("spec", "unschedulable") else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def label_matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """metav1.LabelSelector as an object: matchLabels and matchExpressions, all of them."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or ())


def _expression(one: Object, labels: Mapping[str, str]) -> bool:
    held, values = labels.get(one["key"]), one.get("values") or ()
    match one["operator"]:
        case "In":
            return held in values
        case "NotIn":
            return held not in values
        case "Exists":
            return held is not None
        case _:
            return held is None
