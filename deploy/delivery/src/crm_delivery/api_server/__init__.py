"""Kubernetes' own API server with etcd behind it, on this machine: it alone knows what it takes.

`python -m crm_delivery.api_server` builds it through Go's module proxy, once, in half an hour.
"""
