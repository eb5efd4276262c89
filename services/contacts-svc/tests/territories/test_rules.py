"""However territories, records and people change in turn: the assignment is what a model says that knows who named what."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contacts_svc.features.assignment.rules import (
    ActiveTerritory,
    Assignment,
    first_that_holds,
    reassigned,
)
from crm_kit.conditions import Comparison, Field, FieldType, Op
from hypothesis import given
from hypothesis import strategies as st

REGION = Field("region", FieldType.TEXT)
REGIONS, TEAMS, OWNERS = ("浙江", "四川", "广东"), ("team_a", "team_b"), ("user_a", "user_b")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Record:
    """The model: who named a team or an owner is remembered, what territories give is looked up."""

    region: str | None = None
    named_team: str | None = None
    named_owner: str | None = None
    territories: list[ActiveTerritory] = field(default_factory=list)

    def territory(self) -> ActiveTerritory | None:
        if self.named_team is not None:
            return None
        wanted = [each for each in self.territories if each.condition.value == self.region]  # type: ignore[union-attr]  # all are comparisons
        return wanted[0] if wanted else None

    def seen(self) -> tuple[str | None, str | None, str | None]:
        if (territory := self.territory()) is None:
            return self.named_team, self.named_owner, None
        return territory.team_id, self.named_owner or territory.owner_id, territory.id


territories = st.lists(
    st.tuples(st.sampled_from(REGIONS), st.sampled_from(TEAMS), st.none() | st.sampled_from(OWNERS)), max_size=4
)
changes = st.one_of(
    st.tuples(st.just("territories"), territories),
    st.tuples(st.just("region"), st.none() | st.sampled_from(REGIONS)),
    st.tuples(st.just("team"), st.none() | st.sampled_from(TEAMS)),
    st.tuples(st.just("owner"), st.none() | st.sampled_from(OWNERS)),
)


@given(st.lists(changes, max_size=25))
def test_any_sequence_of_changes_leads_to_what_the_model_says(sequence: list[tuple[str, object]]) -> None:
    model, row = Record(), Assignment(None, None, None, None, None)
    for what, value in sequence:
        match what, value:
            case "territories", list(given_ones):
                model.territories = [
                    ActiveTerritory(f"territory_{n}", Comparison(REGION, Op.EQ, region), team, owner)
                    for n, (region, team, owner) in enumerate(given_ones)
                ]
            case "region", str() | None as region:
                model.region = region
            case "team", str() | None as team:
                if team != row.team_id:  # the same again is no change
                    if team is not None and model.territory() is not None:
                        model.named_owner = row.owner_id  # who takes a record out of its territory takes it as it is
                    model.named_team, row = team, row._replace(team_id=team)
            case "owner", str() | None as owner:
                if owner != row.owner_id:
                    model.named_owner, row = owner, row._replace(owner_id=owner)
        holding = first_that_holds(model.territories, {"region": model.region}, now=NOW)
        row = reassigned(row, holding)
        assert row[:3] == model.seen()
        assert reassigned(row, holding) == row, "a second look changes nothing"
