"""Which member of a group reads which partitions, and the lock that proves it. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from crm_kit.bus.port import TopicPartition


def assign_ranges(
    members: Mapping[int, Sequence[str]], partitions: Mapping[str, int]
) -> dict[int, frozenset[TopicPartition]]:
    """Range assignment: each topic's partitions in equal runs over its subscribers, in order of member id.

    `members` maps a member to its topics, `partitions` a topic to its number of partitions. Ids rise with the
    time of joining, so a newcomer takes from the end and the others keep most of what they have.
    """
    shares: dict[int, set[TopicPartition]] = {member: set() for member in members}
    for topic, count in partitions.items():
        subscribers = sorted(member for member, topics in members.items() if topic in topics)
        for index, member in enumerate(subscribers):
            first = index * count // len(subscribers)
            end = (index + 1) * count // len(subscribers)
            shares[member].update(TopicPartition(topic, partition) for partition in range(first, end))
    return {member: frozenset(share) for member, share in shares.items()}


def ownership_lock(group: str, tp: TopicPartition) -> int:
    """The advisory lock (signed 64 bits) that whoever reads `tp` for `group` holds."""
    text = f"{group}\0{tp.topic}\0{tp.partition}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
