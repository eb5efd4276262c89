"""What can go wrong with relationships besides their form."""

from crm_kit.errors import Conflict, Text


class RelationshipExists(Conflict):
    """The same is said already, from this side or the other; `relationship_id` names it."""

    code = "relationship_exists"
    title = Text("There is such a relationship already", "已存在相同的关系")
    advice = Text("Change that one, named in relationship_id.", "请修改 relationship_id 所示的关系。")


class TooManyRelationships(Conflict):
    """The contact named in `contact_id` has as many as a contact may have."""

    code = "too_many_relationships"
    title = Text("The contact has too many relationships", "该联系人的关系过多")
    advice = Text(
        "Delete some: GET /v1/relationships?of_contact_id=… lists them.",
        "请先删除一些：GET /v1/relationships?of_contact_id=… 可列出。",
    )
