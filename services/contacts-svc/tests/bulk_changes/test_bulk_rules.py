"""What tagging makes of tags."""

from contacts_svc.features.bulk_changes.rules import tagged
from hypothesis import given
from hypothesis import strategies as st

TAGS = st.lists(st.sampled_from("abcdef"), unique=True)


@given(TAGS, TAGS, TAGS)
def test_what_is_added_is_there_what_is_removed_is_not_and_the_rest_stays_in_its_order(
    tags: list[str], add: list[str], remove: list[str]
) -> None:
    found = tagged(tags, add, remove)
    assert len(set(found)) == len(found)
    assert set(found) == (set(tags) | set(add)) - set(remove)
    assert [tag for tag in found if tag in tags] == [tag for tag in tags if tag not in remove]
    assert tagged(found, add, remove) == found
