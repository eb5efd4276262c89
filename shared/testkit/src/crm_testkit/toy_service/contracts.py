"""What the toy service publishes and answers."""

from crm_contracts.ids import Id
from crm_contracts.registry import Topic
from crm_contracts.types import CustomFields, Entity, Money, Tag


class NoteId(Id, prefix="note"): ...


class Note(Entity):
    id: NoteId
    title: str
    text: str | None
    mark: str | None
    count: int
    size: int | None
    price: Money | None
    tags: list[Tag]
    custom: CustomFields


NOTE = Topic("toy", "note", Note)
