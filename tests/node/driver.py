"""The real agent in a namespace, without an API server: specs come on standard input, statuses go to a file.

Each line of input is a VipNodeSpec as JSON. The instances of the cluster are in `instances.json`, if any. The newest
VipNodeStatus is in `status.json` (replaced whole), the metrics of that moment are in `status.metrics`.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from vipmgr import log
from vipmgr.core.wire import VipNodeSpec, VrrpInstance
from vipmgr.node.agent import NodeAgent
from vipmgr.node.settings import Settings


async def main(node: str, status: Path, audit_bytes: int) -> None:
    changed = asyncio.Event()
    instances = status.with_name("instances.json")
    agent = NodeAgent(Settings(node=node, audit_bytes=audit_bytes, audit_files=3), lambda _now: changed.set())
    stdin = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)

    async def specs() -> None:
        async for line in stdin:
            agent.want(msgspec.json.decode(line, type=VipNodeSpec))

    async def statuses() -> None:
        metrics = status.with_suffix(".metrics")
        while True:
            await changed.wait()
            changed.clear()
            for path, content in ((metrics, agent.scrape()), (status, msgspec.json.encode(agent.status()))):
                draft = path.with_suffix(".new")
                draft.write_bytes(content)
                draft.replace(path)
            await asyncio.sleep(0.01)

    async def cluster() -> list[VrrpInstance]:
        return msgspec.json.decode(instances.read_bytes(), type=list[VrrpInstance]) if instances.exists() else []

    agent.strangers.attach(cluster)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(agent.run())
        others = [tasks.create_task(specs()), tasks.create_task(statuses())]
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(15, lambda: [task.cancel() for task in (running, *others)])


if __name__ == "__main__":
    log.set_up("info")
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(os.environ.get("AUDIT_BYTES", "1000000"))))
