"""Relata under what the manifests say, on one Linux machine without a container engine.

The Dockerfile's instructions are carried out over this machine's own files; each pod has its user, a read-only tree, its
memory limit, and a network of its own in which the NetworkPolicies are rules of nftables. `python -m crm_delivery.confined`
plays the demo there. Needs root, Linux namespaces, overlayfs, and the programs `ip`, `nft`, `unshare` and `setpriv`.
"""
