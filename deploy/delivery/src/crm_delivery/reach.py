"""What NetworkPolicies let through, by the rules of networking.k8s.io/v1.

A pod that a policy selects for a direction is isolated in it: only what some such policy allows goes through. A connection
needs both ends' leave. Rules select peers by labels of pods and namespaces, or by address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal

Object = Mapping[str, Any]
Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True)
class Peer:
    """A pod, by namespace and labels; or a host outside of the cluster, by its address."""

    name: str
    namespace: str = "relata"
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None


def is_open(policies: Iterable[Object], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` reaches that port of `target`."""
    policies = tuple(policies)
    wanted = (port, protocol)
    return _leaves(policies, source, target, wanted, "Egress") and _leaves(policies, target, source, wanted, "Ingress")


def _leaves(
    policies: tuple[Object, ...], subject: Peer, other: Peer, wanted: tuple[int, str], direction: Direction
) -> bool:
    if subject.address is not None:
        return True  # no policy is for a host outside
    isolating = [policy for policy in policies if direction in _types(policy) and _is_for(policy, subject)]
    if not isolating:
        return True
    rules = [rule for policy in isolating for rule in policy["spec"].get(direction.lower()) or ()]
    return any(_allows(rule, other, wanted, subject.namespace, direction) for rule in rules)


def _types(policy: Object) -> list[str]:
    """As the API server fills them in: Ingress always, Egress where there are such rules."""
    spec = policy["spec"]
    return spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _is_for(policy: Object, pod: Peer) -> bool:
    namespace = policy["metadata"].get("namespace", "relata")
    return bool(namespace == pod.namespace) and matches(policy["spec"]["podSelector"], pod.labels)


def _allows(rule: Object, other: Peer, wanted: tuple[int, str], namespace: str, direction: Direction) -> bool:
    ports = rule.get("ports")
    if ports and not any(
        (each.get("port") is None or each["port"] <= wanted[0] <= each.get("endPort", each["port"]))
        and each.get("protocol", "TCP") == wanted[1]
        for each in ports
    ):
        return False
    peers = rule.get("to" if direction == "Egress" else "from")
    return not peers or any(_is_peer(each, other, namespace) for each in peers)


def _is_peer(described: Object, other: Peer, namespace: str) -> bool:
    if "ipBlock" in described:
        return other.address is not None and _is_in(described["ipBlock"], other.address)
    if other.address is not None:
        return False
    if "namespaceSelector" in described:
        if not matches(described["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != namespace:
        return False
    return matches(described.get("podSelector") or {}, other.labels)


def _is_in(block: Object, address: str) -> bool:
    ip, network = ip_address(address), ip_network(block["cidr"])
    if ip.version != network.version or ip not in network:
        return False
    return not any(ip in ip_network(each) for each in block.get("except") or ())


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects all."""
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case unknown:
            raise ValueError(f"{unknown} is no operator of a selector")
