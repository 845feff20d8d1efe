"""A Kubernetes API server in one process, for tests and the lab: objects in memory, nothing on disk.

It is a test double of kube-apiserver: small, and faithful in what vipmgr and kubectl depend on. Where the two differ,
this one is wrong. It authenticates (bearer tokens) but does not authorise: RBAC objects are stored, not enforced.
"""

from vipmgr.lab.apiserver.faults import Faults
from vipmgr.lab.apiserver.server import ApiServer, read_definitions

__all__ = ["ApiServer", "Faults", "read_definitions"]
