"""Writes docs/reference.md from manifests/crds: `make reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parents[1] / "manifests" / "crds"
ORDER = ("eips", "bgpconfs", "bgppeers", "vrrpinstances", "vipnodes")
HIDDEN = ("apiVersion", "kind", "metadata")

Json = dict[str, Any]


def reference() -> str:
    """The whole page."""
    parts = ["# Every field\n\nMade from `manifests/crds` by `make reference`. `kubectl explain` says the same.\n"]
    for name in ORDER:
        crd = yaml.safe_load((CRDS / f"{name}.yaml").read_text())
        parts.append("\n".join(chapter(crd)))
    return "\n".join(parts)


def chapter(crd: Json) -> Iterator[str]:
    spec = crd["spec"]
    version = spec["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = "".join(f", `{name}`" for name in spec["names"].get("shortNames", ()))
    yield f"## {spec['names']['kind']}\n"
    yield f"`{spec['group']}/{version['name']}`, `kubectl get {spec['names']['plural']}`{short}.\n"
    yield f"{schema['description']}\n"
    yield "| field | type | default | what |"
    yield "|---|---|---|---|"
    for name, part in schema["properties"].items():
        if name not in HIDDEN:
            yield from rows(part, name, name in schema.get("required", ()))
    yield ""


def rows(part: Json, path: str, required: bool) -> Iterator[str]:
    """The field and everything below it, a table row each."""
    yield f"| `{path}` | {kind(part)} | {default(part, required)} | {'; '.join(words(part))} |".replace("  ", " ")
    inner, below = part, path
    if part["type"] == "array":
        inner, below = part["items"], f"{path}[]"
    elif isinstance(part.get("additionalProperties"), dict):
        inner, below = part["additionalProperties"], f"{path}{{}}"
    for name, field in inner.get("properties", {}).items():
        yield from rows(field, f"{below}.{name}", name in inner.get("required", ()))


def kind(part: Json) -> str:
    if part["type"] == "array":
        return f"list of {kind(part['items'])}"
    if isinstance(part.get("additionalProperties"), dict):
        return f"map to {kind(part['additionalProperties'])}"
    return str(part["type"])


def default(part: Json, required: bool) -> str:
    if required:
        return "required"
    return f"`{str(part['default']).lower()}`" if "default" in part else ""


def words(part: Json) -> Iterator[str]:
    """The description, then what is checked, without the final stop of each but the last."""
    facts = [part["description"].rstrip("."), *limits(part), *limits(part.get("items", {}))]
    yield from (fact.replace("|", "\\|") for fact in facts)


def limits(part: Json) -> Iterator[str]:
    if "enum" in part:
        yield "one of " + ", ".join(f"`{value}`" for value in part["enum"])
    if "minimum" in part and "maximum" in part:
        yield f"{part['minimum']} to {part['maximum']}"
    for rule in part.get("x-kubernetes-validations", ()):
        yield rule["message"]


if __name__ == "__main__":
    print(reference(), end="")
