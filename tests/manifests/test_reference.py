"""docs/reference.md is what the CRDs say today."""

from __future__ import annotations

from pathlib import Path

from docs.reference import reference


def test_the_reference_is_current():
    written = Path(__file__).parents[2] / "docs" / "reference.md"
    assert written.read_text() == reference(), "run `make reference`"


def test_the_reference_names_defaults_rules_and_requirements():
    page = reference()
    assert "| `spec.address` | string | required |" in page
    assert "| `spec.vrrp.advertInterval` | string | `100ms` |" in page
    assert "must be a duration from 10ms to 40.95s in steps of 10ms, such as 100ms or 1s" in page
    assert "| `spec.vrrp.preferredNodes[].weight` | integer | required | Added to the rank" in page
    assert "1 to 100" in page
