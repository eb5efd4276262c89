"""What a topic says of its payload."""

import pytest
from gateway.inbound.topics import is_creation


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("orders/create", True),
        ("checkouts/create", True),
        ("order.created", True),
        ("orders/updated", False),
        ("customer.updated", False),
        ("refunds/create/again", False),
        ("created.thing", False),
        ("-", False),
    ],
)
def test_what_is_told_for_the_first_time_is_known_by_its_topic(topic: str, told: bool) -> None:
    assert is_creation(topic) is told
