"""A cluster of network namespaces on this machine: real keepalived, real agents, real controller, real packets."""
