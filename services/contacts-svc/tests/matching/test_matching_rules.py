"""What the rules promise of any two contacts, and what they say of some that people know to be one, or two."""

from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from contacts_svc.features.matching.rules.comparing import findings
from contacts_svc.features.matching.rules.keys import KEYS, match_keys, part_of_keys
from contacts_svc.features.matching.rules.learning import learn
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM, assess
from contacts_svc.features.matching.rules.statistics import Counter, Statistics
from contacts_svc.features.matching.rules.weights import LEVELS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

NOTHING_KNOWN = Statistics()

_NAMES = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "王伟",
            "王玮",
            "Wang Wei",
            "歐陽曉梅",
            "欧阳晓梅",
            "Anne Smith",
            "smith ann",
            "A. Smith",
            "O'Neill",
            "Müller, Jörg",
        ]
    ),
    st.text(max_size=12),
)
_STREETS = st.sampled_from(
    ["12 Main St", "12 MAIN STREET APT 3", "21 Main", "浙江省杭州市西湖区文三路138号", "文三路138号", "无", ""]
)
_TEXTS = st.one_of(st.none(), st.sampled_from(["杭州市", "杭州", "Chicago", "chicago", "IL"]), st.text(max_size=6))
_EMAILS = st.lists(
    st.fixed_dictionaries(
        {
            "address": st.sampled_from(
                ["a.smith@x.com", "A.Smith@x.com", "a.smith@y.com", "info@x.com", "wangwei88@qq.com"]
            ),
            "verified": st.booleans(),
        }
    ),
    max_size=3,
)
_PHONES = st.lists(st.sampled_from(["+8613800138000", "+8613800138001", "+13125550100"]), max_size=2)
_MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "full_name": _NAMES,
    "emails": _EMAILS,
    "phones": _PHONES.map(lambda numbers: [{"number": number} for number in numbers]),
    "birthday": st.one_of(st.none(), st.dates(date(1950, 1, 1), date(1950, 3, 1))),
    "address": st.one_of(
        st.none(),
        st.fixed_dictionaries({"street": _STREETS, "city": _TEXTS, "district": _TEXTS, "postal_code": _TEXTS}),
    ),
    "company": st.one_of(
        st.none(), st.sampled_from(["上海星河科技股份有限公司", "星河科技", "Acme Inc.", "ACME"]), st.text(max_size=8)
    ),
    "wechat": st.one_of(st.none(), st.sampled_from(["wei", "WEI", "mei"])),
    "external_ids": st.dictionaries(st.sampled_from(["shop", "erp"]), st.sampled_from(["1", "2"])),
}
_CONTACTS = st.fixed_dictionaries(_MEMBERS)
_STATISTICS = st.builds(
    Statistics,
    size=st.integers(0, 2_000_000),
    words=st.dictionaries(st.sampled_from(["wang", "wei", "smith", "anne"]), st.integers(0, 2_000)),
    shared=st.dictionaries(st.sampled_from(["p:00138000", "e:a.smith@x.com", "a:12.main"]), st.integers(0, 2_000)),
)


def _score(one: dict[str, Any], other: dict[str, Any], statistics: Statistics = NOTHING_KNOWN) -> float:
    return assess(Profile.of(**one), Profile.of(**other), statistics).score


@given(_CONTACTS, _CONTACTS, _STATISTICS)
def test_it_does_not_matter_who_comes_first(one: dict[str, Any], other: dict[str, Any], statistics: Statistics) -> None:
    first = assess(Profile.of(**one), Profile.of(**other), statistics)
    second = assess(Profile.of(**other), Profile.of(**one), statistics)
    assert first.score == pytest.approx(second.score)
    assert [(reason.field, reason.level) for reason in first.why] == [(each.field, each.level) for each in second.why]


@given(_CONTACTS, _CONTACTS, _STATISTICS)
def test_a_score_is_a_probability(one: dict[str, Any], other: dict[str, Any], statistics: Statistics) -> None:
    assert 0 <= _score(one, other, statistics) <= 1


@given(_CONTACTS, _CONTACTS)
def test_what_one_side_lacks_says_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    without = {name: value for name, value in one.items() if name not in ("wechat", "birthday", "external_ids")}
    fields = {found.field for found in findings(Profile.of(**without), Profile.of(**other), NOTHING_KNOWN)}
    assert fields.isdisjoint({"wechat", "birthday", "external_ids"})


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most pairs have the member already
@given(
    _CONTACTS,
    _CONTACTS,
    _STATISTICS,
    st.sampled_from(["emails", "phones", "birthday", "wechat", "external_ids", "company"]),
)
def test_more_agreement_never_lowers_a_score(
    one: dict[str, Any], other: dict[str, Any], statistics: Statistics, member: str
) -> None:
    """Given to both alike where it was told by one alone, or differed."""
    assume(one[member])
    bare = {**other, member: None if member in ("birthday", "wechat", "company", "external_ids") else []}
    before = _score(one, bare, statistics)
    assume(statistics.shared.get("p:00138000", 0) <= 3 and statistics.shared.get("e:a.smith@x.com", 0) <= 3)
    assert _score(one, {**other, member: one[member]}, statistics) >= before - 1e-9
    assert _score(one, {**other, member: one[member]}, statistics) >= _score(one, other, statistics) - 1e-9


@given(
    st.lists(st.sampled_from(["anne", "marie", "smith", "jones", "lee"]), min_size=2, max_size=4, unique=True),
    st.data(),
)
def test_the_order_of_words_is_irrelevant(words: list[str], data: st.DataObject) -> None:
    other = data.draw(st.permutations(words))
    one = {"full_name": " ".join(words)}
    assert _score(one, {"full_name": " ".join(other)}) == pytest.approx(_score(one, one))


@given(_CONTACTS)
def test_a_contact_shares_its_keys_with_its_copy(contact: dict[str, Any]) -> None:
    keys = match_keys(Profile.of(**contact))
    assert keys == match_keys(Profile.of(**contact))
    assert len(keys) == len(set(keys)) < 80


@given(st.lists(st.sampled_from("abcdefghij"), max_size=300))
def test_a_counter_holds_no_more_than_it_may_and_never_counts_too_little(words: list[str]) -> None:
    counter = Counter(capacity=4)
    for word in words:
        counter.add([word])
    kept = counter.most_usual()
    assert len(kept) <= 4
    assert all(count >= words.count(word) for word, count in kept.items())


def test_probabilities_of_a_field_are_all_there_are() -> None:
    for levels in LEVELS.values():
        assert sum(level.match for level in levels.values()) == pytest.approx(1, abs=0.01)
        assert sum(level.related for level in levels.values()) == pytest.approx(1, abs=0.01)


_PHONE = [{"number": "+8613800138000"}]
_HOME = {"street": "文三路138号2栋301室", "district": "西湖区", "city": "杭州市", "region": "浙江省"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"full_name": "欧阳晓梅", "phones": _PHONE}, {"full_name": "Ouyang Xiaomei", "phones": _PHONE}),
        ({"full_name": "欧阳晓梅", "phones": _PHONE}, {"full_name": "Xiao-Mei OUYANG", "phones": _PHONE}),
        ({"full_name": "歐陽曉梅", "phones": _PHONE}, {"full_name": "欧阳小梅", "phones": _PHONE}),
        ({"full_name": "王伟", "phones": _PHONE}, {"full_name": "王伟", "phones": [{"number": "+8613800130800"}]}),
        (
            {"full_name": "曾国强", "address": _HOME},
            {"full_name": "Zeng Guoqiang", "address": {"street": "浙江省杭州市西湖区文三路138号2栋301室"}},
        ),
        (
            {"first_name": "Robert", "last_name": "O'Neill", "emails": [{"address": "bobby77@x.com"}]},
            {"first_name": "Bob", "last_name": "ONeill", "emails": [{"address": "bobby77@X.com"}]},
        ),
        (
            {"full_name": "Jörg Müller", "birthday": date(1980, 5, 12)},
            {"full_name": "Mueller, Joerg", "birthday": date(1980, 12, 5)},
        ),
        (
            {"full_name": "Anne Smith", "address": {"street": "12 North Main Street", "postal_code": "60614"}},
            {"full_name": "Smith, Ann", "address": {"street": "12 N MAIN ST.", "postal_code": "60614"}},
        ),
    ],
)
def test_one_person(one: dict[str, Any], other: dict[str, Any]) -> None:
    profiles = Profile.of(**one), Profile.of(**other)
    assert not set(match_keys(profiles[0])).isdisjoint(match_keys(profiles[1]))
    assert assess(*profiles, NOTHING_KNOWN).score >= REPORTED_FROM


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"full_name": "王伟"}, {"full_name": "李娜"}),
        # A family: surname, address and telephone agree.
        (
            {"first_name": "伟", "last_name": "王", "address": _HOME, "phones": _PHONE},
            {"first_name": "芳", "last_name": "王", "address": _HOME, "phones": _PHONE},
        ),
        (
            {"first_name": "Mark", "last_name": "Reed", "phones": _PHONE, "birthday": date(1970, 1, 2)},
            {"first_name": "Lucy", "last_name": "Reed", "phones": _PHONE, "birthday": date(1999, 7, 20)},
        ),
        # Colleagues: company, its switchboard and the host of their mail agree.
        (
            {
                "full_name": "Carol King",
                "company": "Acme Inc.",
                "phones": _PHONE,
                "emails": [{"address": "c.king@acme.com"}],
            },
            {
                "full_name": "Paul Baker",
                "company": "Acme",
                "phones": _PHONE,
                "emails": [{"address": "p.baker@acme.com"}],
            },
        ),
        (
            {"full_name": "王伟", "emails": [{"address": "info@x.com"}]},
            {"full_name": "刘洋", "emails": [{"address": "info@x.com"}]},
        ),
    ],
)
def test_two_persons(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert _score(one, other) < REPORTED_FROM


def test_a_telephone_of_many_says_nothing() -> None:
    one, other = Profile.of(full_name="王伟", phones=_PHONE), Profile.of(full_name="李娜", phones=_PHONE)
    many = Statistics(size=10_000, shared={"p:00138000": 30})
    (reason,) = (each for each in assess(one, other, many).why if each.field == "phone")
    assert (reason.level, reason.weight) == ("shared_by_many", 0)


def test_a_usual_name_says_less_than_a_rare_one() -> None:
    usual = Statistics(size=100_000, words={"wang": 7_000, "wei": 2_000, "ge": 2})
    assert _score({"full_name": "王伟"}, {"full_name": "王伟"}, usual) < _score(
        {"full_name": "葛磊"}, {"full_name": "葛磊"}, usual
    )


@pytest.mark.parametrize(
    ("members", "others", "contradiction"),
    [
        (
            {"emails": [{"address": "a@x.com", "verified": True}]},
            {"emails": [{"address": "b@y.com", "verified": True}]},
            "email",
        ),
        ({"birthday": date(1980, 5, 12)}, {"birthday": date(1991, 8, 30)}, "birthday"),
        ({"external_ids": {"shop": "1"}}, {"external_ids": {"shop": "2"}}, "external_ids"),
    ],
)
def test_verified_identities_that_contradict_are_never_merged_unasked(
    members: dict[str, Any], others: dict[str, Any], contradiction: str
) -> None:
    alike = {"full_name": "葛磊落", "phones": _PHONE, "wechat": "geleiluo", "address": _HOME}
    assert assess(Profile.of(**alike), Profile.of(**alike), NOTHING_KNOWN).may_merge
    said = assess(Profile.of(**alike, **members), Profile.of(**alike, **others), NOTHING_KNOWN)
    assert contradiction in said.contradictions
    assert not said.may_merge


def test_one_name_at_one_address_is_not_merged_unasked() -> None:
    """They may be father and son."""
    alike = Profile.of(full_name="葛磊落", phones=_PHONE, address=_HOME)
    said = assess(alike, alike, NOTHING_KNOWN)
    assert said.score >= REPORTED_FROM
    assert not said.may_merge


def test_what_is_usual_among_ones_own_is_learned() -> None:
    """Where one person's contacts often have another birthday, that comes to say little against."""
    people = [
        (
            Profile.of(
                full_name=f"Person{n} Rare{n}", emails=[{"address": f"p{n}@x.com"}], birthday=date(1950 + n % 50, 1, 1)
            ),
            Profile.of(full_name=f"Person{n} Rare{n}", emails=[{"address": f"p{n}@x.com"}], birthday=date(2000, 7, 20)),
        )
        for n in range(400)
    ]
    found = [list(findings(one, other, NOTHING_KNOWN)) for one, other in people]
    weights = learn(found, 800, 1_000)
    assert weights.levels["birthday"]["different"].match > 2 * LEVELS["birthday"]["different"].match
    assert weights.levels["wechat"] == LEVELS["wechat"]
    assert weights.matches > 0.3


@given(contacts=st.integers(0, 10**9))
def test_the_parts_of_the_keys_are_all_keys_each_once(contacts: int) -> None:
    parts = [part_of_keys(KEYS.start, contacts)]
    while parts[-1].stop in KEYS:
        parts.append(part_of_keys(parts[-1].stop, contacts))
    assert all(one.stop == other.start for one, other in pairwise(parts))
    assert (parts[0].start, parts[-1].stop) == (KEYS.start, KEYS.stop)
    assert all(len(part) * contacts <= 250_000 * len(KEYS) + contacts for part in parts)
