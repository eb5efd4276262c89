"""What is asked of a merge and what it answers."""

from collections.abc import Mapping
from typing import Annotated, Final

from crm_contracts.contacts import Consent, Contact, Merge
from crm_contracts.ids import ContactId
from crm_contracts.types import Contract, CustomName, Input, by_name
from pydantic import Field

from contacts_svc.features.merges.rules import Rule

MAX_MERGED: Final = 50

FieldRule = Annotated[Rule, Field(union_mode="left_to_right")]


class MergeFields(Input):
    """Whose value counts, by member; a contact's id: that one's. `all` is for lists and maps, which take it if left out;
    the others take `non_empty`: the survivor's, or where it has none that of the contact changed last.
    """

    name: Annotated[FieldRule | None, Field(description="All parts of the name together")] = None
    emails: FieldRule | None = None
    phones: FieldRule | None = None
    wechat: FieldRule | None = None
    title: FieldRule | None = None
    account_id: FieldRule | None = None
    address: FieldRule | None = None
    language: FieldRule | None = None
    birthday: FieldRule | None = None
    source: FieldRule | None = None
    lifecycle_stage: Annotated[FieldRule | None, Field(description="With the reason for it")] = None
    owner_id: FieldRule | None = None
    team_id: FieldRule | None = None
    pool_id: FieldRule | None = None
    external_ids: FieldRule | None = None
    tags: FieldRule | None = None
    shares: FieldRule | None = None
    custom: Annotated[
        dict[CustomName, FieldRule],
        Field(max_length=500, description="Of custom fields one by one", json_schema_extra=by_name),
    ] = {}

    def rules(self) -> Mapping[str, Rule]:
        """Those that were given, as `rules.combined` takes them."""
        given = {name: value for name in self.model_fields_set - {"custom"} if (value := getattr(self, name))}
        return {**given, **{f"custom.{name}": rule for name, rule in self.custom.items()}}


class MergeWrite(Input):
    from_: Annotated[
        list[ContactId],
        Field(alias="from", min_length=1, max_length=MAX_MERGED, description="The contacts that are merged into it"),
    ]
    fields: MergeFields = MergeFields()
    dry_run: Annotated[bool, Field(strict=True, description="Only show what would come of it")] = False


class MergeResult(Contract):
    """`merge` is null for a dry run."""

    merge: Merge | None
    contact: Annotated[Contact, Field(description="The contact that is left, as it is then")]
    changed: Annotated[list[str], Field(description="Its members that the merge changes")]
    consents: Annotated[list[Consent], Field(description="What enters its consent ledger")]
