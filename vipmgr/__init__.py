"""vipmgr: load-balancer addresses for bare-metal Kubernetes that fail over in a fraction of a second.

The path of data, and where each step lives (docs/architecture.md has the long form):

    kube/         I/O with the API server: sign in, list and watch, write, elect a leader
    core/         pure: decode -> admit -> allocate -> place -> render; transitions -> audit
    controller/   program 1, one leader per cluster: snapshot -> core -> writes
    node/         program 2, on every node: plan -> keepalived, FIFO and log -> audit
    cli/          what people type
    lab/          a cluster of network namespaces on one machine, with an embedded API server
"""

__version__ = "0.1.0"
