"""Keys are found at once, however much was written just before; every sort has its index, and no null takes room in one"""

import sqlalchemy as sa
from alembic import op

revision = "0008_matching_indexes"
down_revision = "0007_territories_mark"
branch_labels = None
depends_on = None

_SOUGHT = (
    "contact_email_keys",
    "contact_phone_numbers",
    "contact_external_keys",
    "contact_tags",
    "account_external_keys",
    "account_tags",
)
_SEARCHED = ("contact_name_grams", "account_name_grams")
_SORTED = ("first_name", "last_name", "birthday")
_REFERENCES = {"account": "account_id", "team": "team_id", "territory": "territory_id", "source": "source"}


def upgrade() -> None:
    # GIN puts new keys off into a list of up to 4 MB, through which every look-up then goes: with a few keys a row that
    # saves nothing. A name has dozens of grams, so that its list is only shortened.
    for index in _SOUGHT:
        op.execute(f"alter index {index} set (fastupdate = off)")
    for index in _SEARCHED:
        op.execute(f"alter index {index} set (gin_pending_list_limit = 256)")
    for index in (*_SOUGHT, *_SEARCHED):
        op.execute(f"select gin_clean_pending_list('{index}')")
    for column in _SORTED:
        op.create_index(f"contact_{column}", "contact", ["tenant_id", column, "id"])
    op.create_index(
        "contact_wechat", "contact", ["tenant_id", "wechat"], postgresql_where=sa.text("wechat is not null")
    )
    for name, column in _REFERENCES.items():
        op.drop_index(f"contact_{name}", "contact")
        filled = sa.text(f"{column} is not null")
        op.create_index(f"contact_{name}", "contact", ["tenant_id", column, "id"], postgresql_where=filled)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
