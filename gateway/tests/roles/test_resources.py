"""Every published entity is of a resource that roles can name, or that administrators alone reach."""

from typing import get_args

from crm_contracts.registry import TOPICS
from gateway.features.access_check.schemas import Asked
from gateway.features.roles.resources import MODEL_OF, resource_of
from gateway.features.roles.schemas import Resource

ADMINISTERED = {"identity_provider"}


def test_roles_can_name_the_resource_of_every_entity() -> None:
    named = {resource_of(topic.entity) for topic in TOPICS if topic.entity not in ADMINISTERED}
    assert named <= set(get_args(Resource))


def test_the_model_of_a_resource_is_that_of_the_whole() -> None:
    assert {
        resource: MODEL_OF[resource].__name__ for resource in ("tickets", "segments", "messages", "activities")
    } == {
        "tickets": "Ticket",
        "segments": "Segment",
        "messages": "Message",
        "activities": "Activity",
    }
    assert set(get_args(Asked)) - {"customers"} <= MODEL_OF.keys()
