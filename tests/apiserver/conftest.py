"""A fresh API server for each test, in this process, with the project's own definitions."""

from pathlib import Path

import pytest

from vipmgr.lab.apiserver import ApiServer, read_definitions

CRDS = Path(__file__).parents[2] / "manifests" / "crds"


@pytest.fixture
async def api_server():
    async with ApiServer(definitions=read_definitions(CRDS)) as server:
        yield server
