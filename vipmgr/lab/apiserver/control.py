"""The private endpoint by which the lab and tests, in other processes, make the server misbehave: POST /-/…"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from vipmgr.lab.apiserver.errors import bad_request, method_not_allowed, no_such_path
from vipmgr.lab.apiserver.faults import Faults

PREFIX: Final = "/-/"


class Control:
    """`/-/faults` takes a JSON object: exactly these faults from now on, `{}` none. `actions` are POSTed by name."""

    def __init__(self, faults: Faults, actions: Mapping[str, Callable[[], None]]) -> None:
        self.faults = faults
        self._actions = actions

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        name = request.path.removeprefix(PREFIX)
        if action := self._actions.get(name):
            action()
        elif name == "faults":
            self._set(await request.read())
        else:
            raise no_such_path()
        return web.json_response({})

    def _set(self, content: bytes) -> None:
        self.faults.heal()
        try:
            self.faults.set(**msgspec.json.decode(content or b"{}"))
        except (TypeError, msgspec.DecodeError) as error:
            raise bad_request(str(error)) from error
