"""The audit lines of docs/audit-lines.md, and whether a line that was really written keeps to them."""

import json
import re
from collections import defaultdict
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "audit-lines.md"


def documented_lines():
    """Every line in the page's json blocks, as bytes."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line.encode() for block in blocks for line in block.splitlines()]


def undocumented(lines):
    """(event, field) of what these lines (decoded JSON objects) have and the page does not show."""
    known = defaultdict(set)
    for line in documented_lines():
        example = json.loads(line)
        known[example["event"]] |= example.keys()
    return {(line["event"], name) for line in lines for name in line.keys() - known[line["event"]]}
