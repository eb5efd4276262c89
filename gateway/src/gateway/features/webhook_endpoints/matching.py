"""Whether an endpoint is told of an event, and what of it: kinds, origin, condition, rights, fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from crm_contracts.registry import BY_NAME, Topic
from crm_kit.conditions import CheckedCondition, Field, FieldSet, FieldType, InvalidCondition, evaluate, parse
from crm_kit.custom_fields import DeclaredFields, copied_custom_fields
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal
from crm_kit.rights import redacted

from gateway.documents.fields import fields_of
from gateway.features.api_keys.rights import with_rights
from gateway.features.customers.sight import Sight
from gateway.features.roles.resources import resource_of
from gateway.features.webhook_endpoints.models import WebhookEndpointRow
from gateway.features.webhook_endpoints.rules import is_meant, topics_meant
from gateway.features.webhook_journal.rules import body_of

_EVENT: Final = "event"
_OF_EVENTS: Final = (
    Field("event.type", FieldType.TEXT),
    Field("event.action", FieldType.TEXT),
    Field("event.subject", FieldType.ID),
    Field("event.actor_id", FieldType.ID),
    Field("event.changed", FieldType.TEXT_LIST),
)
_ALWAYS: Final = ("id", "version")


def _fields(topic: Topic, declared: DeclaredFields) -> FieldSet:
    return fields_of(resource_of(topic.entity), declared).with_fields(_OF_EVENTS)


async def condition_faults(
    session: ReadSession, kinds: Sequence[str], where: dict[str, object]
) -> InvalidCondition | None:
    """Why a condition makes no sense for any of the entities that are meant; None where it does for one."""
    declared = await copied_custom_fields(session)
    fault: InvalidCondition | None = None
    for topic in topics_meant(kinds):
        try:
            parse(where, _fields(topic, declared), "/where")
        except InvalidCondition as error:
            fault = fault or error
        else:
            return None
    return fault


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event: the first check that does not hold, or none. `body` where all hold."""

    failed: str | None
    document: dict[str, Any] | None = None
    body: bytes | None = None


class Matcher:
    """Of one endpoint, as it and its rights are now. Good for seconds."""

    def __init__(self, row: WebhookEndpointRow, principal: Principal, declared: DeclaredFields, now: datetime) -> None:
        self._row = row
        self.principal = principal
        self._declared = declared
        self._now = now
        self._skipped = frozenset(row.skip_origins)
        self._kept = frozenset([*_ALWAYS, *row.fields]) if row.fields is not None else None
        self._conditions: dict[str, CheckedCondition | None] = {}
        rights = principal.rights
        self._sees_all = (rights is None or rights.is_unlimited) and principal.may("read")
        self._sight = Sight(principal, now)
        self._sight.declared = declared
        self._means = lru_cache(maxsize=1000)(lambda event_type: is_meant(row.kinds, event_type))

    def is_meant(self, event_type: str, actor_id: str | None) -> str | None:
        """What an event that fails here fails by: for this its body need not be read."""
        if not self._means(event_type):
            return "kinds"
        return "skip_origins" if actor_id is not None and actor_id in self._skipped else None

    @property
    def takes_bodies_as_they_are(self) -> bool:
        return self._row.where is None and self._sees_all and self._kept is None

    def of(self, event_type: str, actor_id: str | None, body: bytes) -> Outcome:
        """Of an event of the journal."""
        failed = self.is_meant(event_type, actor_id)
        if failed is not None:
            return Outcome(failed)
        if self.takes_bodies_as_they_are:
            return Outcome(None, body=body)
        return self.of_document(orjson.loads(body))

    def of_document(self, document: dict[str, Any]) -> Outcome:
        """Of a CloudEvent."""
        failed = self.is_meant(str(document.get("type")), document.get("actorid"))
        if failed is not None:
            return Outcome(failed)
        data = document.get("data") or {}
        entity = data.get("entity")
        topic = BY_NAME.get(str(document["type"]).rsplit(".", 2)[0])
        if entity is not None and topic is not None:
            if not self._holds(topic, document, entity):
                return Outcome("where")
            entity = self._seen(topic, entity)
            if entity is None:
                return Outcome("rights")
        elif self._row.where is not None and not data.get(
            "erased"
        ):  # that somebody is erased is told to all who may hold them
            return Outcome("where")
        elif not self._sees_all and topic is not None and not self._sight.may_see(resource_of(topic.entity)):
            return Outcome("rights")
        shown = {**document, "data": {**data, **self._narrowed(data, entity)}}
        return Outcome(None, shown, body_of(shown))

    def _holds(self, topic: Topic, document: dict[str, Any], entity: dict[str, Any]) -> bool:
        """Of what a caller may not see no condition tells them either."""
        if self._row.where is None:
            return True
        condition = self._condition(topic)
        if condition is None:
            return False
        seen = entity if self._sees_all else self._seen(topic, entity)
        if seen is None:
            return False
        event = {
            "type": document["type"],
            "action": str(document["type"]).split(".")[3],
            "subject": document.get("subject"),
            "actor_id": document.get("actorid"),
            "changed": (document.get("data") or {}).get("changed", []),
        }
        return evaluate(condition, {**seen, _EVENT: event}, now=self._now)

    def _condition(self, topic: Topic) -> CheckedCondition | None:
        """None where it makes no sense for such an entity."""
        if topic.name not in self._conditions:
            try:
                checked: CheckedCondition | None = parse(self._row.where, _fields(topic, self._declared), "/where")
            except InvalidCondition:
                checked = None
            self._conditions[topic.name] = checked
        return self._conditions[topic.name]

    def _seen(self, topic: Topic, entity: dict[str, Any]) -> dict[str, Any] | None:
        if self._sees_all:
            return entity
        resource = resource_of(topic.entity)
        if not self._sight.may_see(resource):
            return None
        standing = self._sight.standing(resource, entity, self._sight.level(entity))
        rights = self._sight.rights(resource, standing)
        if not rights.is_seen:
            return None
        return (
            entity if rights.is_clear else redacted(topic.model, entity, rights, declared=self._sight.classes(resource))
        )

    def _narrowed(self, data: dict[str, Any], entity: dict[str, Any] | None) -> dict[str, Any]:
        if entity is None:
            return {}
        kept = self._kept
        if kept is not None:
            entity = {name: value for name, value in entity.items() if name in kept}
        hidden = entity.get("redacted", ())
        return {"entity": entity, "changed": [name for name in data.get("changed", ()) if name not in hidden]}


async def matcher_of(session: ReadSession, row: WebhookEndpointRow) -> Matcher | None:
    """None where those in whose name events are seen may see nothing any more."""
    bare = Principal(row.id, session.tenant_id, row.region, frozenset(row.scopes))
    principal = await with_rights(session, bare, row.user_id, row.roles)
    if principal is None:
        return None
    return Matcher(row, principal, await copied_custom_fields(session), utc_now())
