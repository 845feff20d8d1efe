"""docs/metrics.md lists every metric there is, with its kind, its labels and its own words, and no other."""

import io
import re
from pathlib import Path

import pytest

from vipmgr.controller.metrics import Metrics as ControllerMetrics
from vipmgr.node.bgp.metrics import BgpMetrics
from vipmgr.node.journal import Journal
from vipmgr.node.layer2 import Layer2
from vipmgr.node.layer2_report import Layer2Metrics
from vipmgr.node.metrics import Metrics as AgentMetrics

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def registries(tmp_path):
    agent, controller = AgentMetrics(), ControllerMetrics()
    BgpMetrics(agent.registry)
    journal = Journal(tmp_path / "audit.jsonl", "n1", limit=1000, keep=1, stream=io.StringIO())
    layer2 = Layer2("n1", journal, lambda _: None)
    layer2.counters.transitions["MASTER", "started"] += 1
    Layer2Metrics(agent.registry).show(layer2)
    return controller.registry, agent.registry


def labels_of(registry, family):
    collector = registry._names_to_collectors.get(family.name)
    found = getattr(collector, "_labelnames", ()) or next((one.labels for one in family.samples), ())
    return ", ".join(f"`{label}`" for label in found if label != "le")


def rows_of(registry):
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, labels_of(registry, family), family.documentation


def test_the_page_lists_every_metric_in_its_own_words_and_no_other(registries):
    rows = re.findall(
        r"^\| `(vipmgr_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", (DOCS / "metrics.md").read_text(), re.MULTILINE
    )
    assert sorted(rows) == sorted(row for registry in registries for row in rows_of(registry))


def test_every_metric_that_another_page_names_is_there(registries):
    known = {name for registry in registries for name, *_ in rows_of(registry)}
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        for name in re.findall(r"\bvipmgr_[a-z0-9_]+\*?", page.read_text()):
            family = name.rstrip("*")
            there = any(one.startswith(family) for one in known) if name.endswith("*") else family in known
            assert there, f"{page.name}: {name}"
