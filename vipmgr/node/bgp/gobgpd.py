"""gobgpd's API over its unix socket: the calls in use, by the method paths of its service (GoBGP 4.x)."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

import grpc
import grpc.aio

from vipmgr.errors import TemporaryError
from vipmgr.node.bgp import gobgp_pb2 as pb

_SERVICE: Final = "/api.GoBgpService/"
_SECONDS: Final = 10.0
_CREDENTIALS: Final = struct.calcsize("3i")
CHUNK: Final = 500
"""paths in one message of a stream"""


class GobgpError(TemporaryError):
    """gobgpd refused, in its own words, or does not answer (`lost`)."""

    def __init__(self, what: str, error: grpc.aio.AioRpcError) -> None:
        super().__init__(f"{what}: {error.details()}")
        self.lost = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Gobgpd:
    """async with Gobgpd(path) as daemon. Every call raises GobgpError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channel = grpc.aio.insecure_channel(f"unix://{path}", options=[("grpc.max_receive_message_length", -1)])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def global_(self) -> pb.Global | None:
        """None: it was not told to start yet."""
        answer = await self._call("GetBgp", pb.GetBgpRequest(), pb.GetBgpResponse)
        found: pb.Global = getattr(answer, "global")
        return found if found.asn else None

    async def start(self, wanted: pb.Global) -> None:
        await self._call("StartBgp", pb.StartBgpRequest(**{"global": wanted}), pb.StartBgpResponse)

    def end(self, *, graceful: bool) -> None:
        """End the process; its container starts another. One that was told StopBgp never speaks again (GoBGP 4.8), so
        that is no way to another AS number. `graceful`: without a word to the routers, which keep the routes."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._path))
            pid, _, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS))
        if pid > 0:  # 0: in another PID namespace
            os.kill(pid, signal.SIGKILL if graceful else signal.SIGTERM)

    async def peers(self, address: str = "") -> list[pb.Peer]:
        """All, or the one with that address."""
        stream = self._stream("ListPeer", pb.ListPeerRequest(address=address), pb.ListPeerResponse)
        return [one.peer async for one in stream]

    async def add_peer(self, peer: pb.Peer) -> None:
        await self._call("AddPeer", pb.AddPeerRequest(peer=peer), pb.AddPeerResponse)

    async def update_peer(self, peer: pb.Peer) -> None:
        await self._call("UpdatePeer", pb.UpdatePeerRequest(peer=peer), pb.UpdatePeerResponse)

    async def delete_peer(self, address: str) -> None:
        await self._call("DeletePeer", pb.DeletePeerRequest(address=address), pb.DeletePeerResponse)

    async def paths(self, family: pb.Family) -> list[pb.Path]:
        """The paths of the global table; each with its prefix in `nlri`."""
        wanted = pb.ListPathRequest(table_type=pb.TABLE_TYPE_GLOBAL, family=family, batch_size=CHUNK)
        stream = self._stream("ListPath", wanted, pb.ListPathResponse)
        return [path async for one in stream for path in one.destination.paths]

    async def change_paths(self, paths: Sequence[pb.Path]) -> None:
        """Announce, replace and withdraw; all are taken in one stream."""
        call = self._channel.stream_unary(
            f"{_SERVICE}AddPathStream",
            request_serializer=pb.AddPathStreamRequest.SerializeToString,
            response_deserializer=pb.AddPathStreamResponse.FromString,
        )
        try:
            await call(_chunks(paths), timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GobgpError("AddPathStream", error) from None

    async def resend(self, address: str) -> None:
        """All routes of that session through its policies again."""
        request = pb.ResetPeerRequest(address=address, soft=True, direction=pb.ResetPeerRequest.DIRECTION_OUT)
        await self._call("ResetPeer", request, pb.ResetPeerResponse)

    async def policies(self) -> list[str]:
        stream = self._stream("ListPolicy", pb.ListPolicyRequest(), pb.ListPolicyResponse)
        return [one.policy.name async for one in stream]

    async def assigned(self, direction: pb.PolicyDirection) -> list[str]:
        """The policies in force, in their order."""
        wanted = pb.ListPolicyAssignmentRequest(name="global", direction=direction)
        stream = self._stream("ListPolicyAssignment", wanted, pb.ListPolicyAssignmentResponse)
        return [policy.name async for one in stream for policy in one.assignment.policies]

    async def assign(self, assignment: pb.PolicyAssignment) -> None:
        request = pb.SetPolicyAssignmentRequest(assignment=assignment)
        await self._call("SetPolicyAssignment", request, pb.SetPolicyAssignmentResponse)

    async def add_policies(self, sets: Iterable[pb.DefinedSet], policies: Iterable[pb.Policy]) -> None:
        """The sets they use first. They are in force once assigned."""
        for one in sets:
            request = pb.AddDefinedSetRequest(defined_set=one, replace=True)
            await self._call("AddDefinedSet", request, pb.AddDefinedSetResponse)
        for policy in policies:
            await self._call("AddPolicy", pb.AddPolicyRequest(policy=policy), pb.AddPolicyResponse)

    async def delete_policies(self, which: Callable[[str], bool], kinds: Iterable[pb.DefinedType]) -> None:
        """Those of these names, and the sets of these kinds and names. They must not be in force."""
        for name in await self.policies():
            if which(name):
                gone = pb.DeletePolicyRequest(policy=pb.Policy(name=name), all=True)
                await self._call("DeletePolicy", gone, pb.DeletePolicyResponse)
        for kind in kinds:
            wanted = pb.ListDefinedSetRequest(defined_type=kind)
            stream = self._stream("ListDefinedSet", wanted, pb.ListDefinedSetResponse)
            for one in [each.defined_set async for each in stream if which(each.defined_set.name)]:
                useless = pb.DeleteDefinedSetRequest(defined_set=one, all=True)
                await self._call("DeleteDefinedSet", useless, pb.DeleteDefinedSetResponse)

    async def watch_peers(self) -> AsyncIterator[pb.Peer]:
        """Every peer whose session changed its state, from now on; ends, or raises, with the connection."""
        wanted = pb.WatchEventRequest(peer=pb.WatchEventRequest.Peer())
        stream = self._stream("WatchEvent", wanted, pb.WatchEventResponse, seconds=None)
        async for one in stream:
            yield one.peer.peer

    async def _call(self, name: str, request: Any, answer: Any) -> Any:
        call = self._channel.unary_unary(
            _SERVICE + name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return await call(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GobgpError(name, error) from None

    async def _stream(
        self, name: str, request: Any, answer: Any, seconds: float | None = _SECONDS
    ) -> AsyncIterator[Any]:
        call = self._channel.unary_stream(
            _SERVICE + name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            async for one in call(request, timeout=seconds):
                yield one
        except grpc.aio.AioRpcError as error:
            raise GobgpError(name, error) from None


def _chunks(paths: Sequence[pb.Path]) -> Iterator[pb.AddPathStreamRequest]:
    for start in range(0, len(paths), CHUNK):
        yield pb.AddPathStreamRequest(table_type=pb.TABLE_TYPE_GLOBAL, paths=paths[start : start + CHUNK])
