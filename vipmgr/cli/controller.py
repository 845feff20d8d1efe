"""vipmgr controller."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from vipmgr.controller.program import run_controller
from vipmgr.controller.settings import Settings, default_identity
from vipmgr.errors import UsageError
from vipmgr.log import set_up


def configure(parser: argparse.ArgumentParser) -> None:
    usual = Settings()
    add = parser.add_argument
    add("--lb-class", default=usual.load_balancer_class, help="loadBalancerClass to serve (default: %(default)s)")
    add("--default-class", action="store_true", help="serve Services of no class, too")
    here = os.environ.get("POD_NAMESPACE", usual.namespace)
    add("--namespace", default=here, help="of the Lease and the Secret (default: the pod's, else %(default)s)")
    add("--identity", default="", help="name in the Lease, made unique (default: the host's name)")
    add("--kubeconfig", help="default: $KUBECONFIG, the pod's account, ~/.kube/config")
    add("--listen", default=":8080", metavar="HOST:PORT", help="/healthz, /readyz, /metrics (default: %(default)s)")
    add("--webhook-listen", default=":9443", metavar="HOST:PORT", help="admission webhook (default: %(default)s)")
    add("--webhook-host", action="append", default=[], help="further name its certificate is good for; repeatable")
    add("--no-webhook", action="store_true", help="serve no admission webhook")
    add("--cordon-drains", action="store_true", help="a cordoned node gives its VIPs away")
    add("--cluster-id", default="", help="seeds virtual router IDs (default: uid of namespace kube-system)")
    add("--lease-duration", type=float, default=usual.lease_duration, help="seconds others wait for a silent leader")
    add("--lease-renew", type=float, default=usual.lease_renew, help="seconds a leader goes on without renewal")
    add("--lease-retry", type=float, default=usual.lease_retry, help="seconds between two looks at the Lease")
    add("--log-level", default="info", choices=["debug", "info", "warning", "error"], help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    settings = _settings(args)
    set_up(args.log_level)
    asyncio.run(_until_stopped(settings))
    return 0


def _settings(args: argparse.Namespace) -> Settings:
    if not 0 < args.lease_renew < args.lease_duration:
        raise UsageError("--lease-renew must be shorter than --lease-duration")
    if not 0 < args.lease_retry < args.lease_renew:
        raise UsageError("--lease-retry must be shorter than --lease-renew")
    return Settings(
        load_balancer_class=args.lb_class,
        default_class=args.default_class,
        namespace=args.namespace,
        identity=default_identity(args.identity),
        kubeconfig=args.kubeconfig,
        listen=_address(args.listen, "--listen"),
        webhook=not args.no_webhook,
        webhook_listen=_address(args.webhook_listen, "--webhook-listen"),
        webhook_hosts=tuple(args.webhook_host),
        cordon_drains=args.cordon_drains,
        cluster_id=args.cluster_id,
        lease_duration=args.lease_duration,
        lease_renew=args.lease_renew,
        lease_retry=args.lease_retry,
    )


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{option}: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


async def _until_stopped(settings: Settings) -> None:
    """SIGTERM and SIGINT stop the work, release the Lease, and end in success."""
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(run_controller(settings))
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        if not work.cancelled():
            raise
