"""Finding customers: first by what is written, and by what it sounds like where that fills no page. Each question is of bounded work.

The index gives ids of candidates; what is found is looked at itself (`matching.py`), as far as the caller sees it. So hashes
that meet by chance show nobody, and nobody is found by what is hidden.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    true,
)

from gateway.features.customers.models import CustomerSearchRow, EntityCopy
from gateway.features.customers.search import arms
from gateway.features.customers.search.arms import Arm, Ways
from gateway.features.customers.search.fields import PARTS, parse
from gateway.features.customers.search.matching import Match, MatchKind, fit_of, last_rank
from gateway.features.customers.search.query import SearchQuery, Word
from gateway.features.customers.search.visibility import Visibility

CANDIDATES: Final = 200
"""Of the ways to have one word: so many are looked at, the newest of those that the index shows."""
SEEN: Final = 600
"""So many the index shows of each way. What more have is common: the newest customers are walked through for it, too."""
WALKED: Final = 10_000

s: Final[Any] = columns(CustomerSearchRow)
# A limit of its own: so the newest are read in their order, whatever is asked of them.
_NEWEST: Final = select(*s).order_by(s.created_at.desc(), s.id.desc()).limit(WALKED).subquery("newest")
_MORE_THAN_WALKED: Final = text(f"select exists (select from customer_search offset {WALKED})")  # noqa: S608  # a number of ours


class Place(NamedTuple):
    """Where a customer stands among those that are found: the best first, of equals the newest."""

    rank: int
    created_at: datetime
    id: str

    def is_before(self, other: "Place") -> bool:
        newer = (self.created_at, self.id) > (other.created_at, other.id)
        return self.rank < other.rank or (self.rank == other.rank and newer)


class Hit(NamedTuple):
    place: Place
    kind: str
    matched: tuple[Match, ...]


class Found(NamedTuple):
    """`is_complete`: whether there are no others; otherwise only so many of the newest were looked at."""

    hits: list[Hit]
    is_complete: bool


class _Candidates(NamedTuple):
    """Ids, the newest first. `is_complete`: there are no others. `is_common`: the index did not show all."""

    ids: tuple[str, ...]
    is_complete: bool
    is_common: bool


Numbers = Mapping[str, Mapping[str, Sequence[Match]]]
"""By word and customer, how it is in the numbers of their orders and tickets."""


class _Asked(NamedTuple):
    """Words that must all be found, and the ways to have each; no word where a way is of all of them."""

    ways: Sequence[Ways]
    words: Sequence[Word | None]


def _all_of(candidates: Collection[_Candidates]) -> _Candidates:
    return _Candidates(
        tuple(dict.fromkeys(id_ for each in candidates for id_ in each.ids)),
        all(each.is_complete for each in candidates),
        any(each.is_common for each in candidates),
    )


async def find(
    session: ReadSession,
    query: SearchQuery,
    numbers: Numbers,
    visible: Callable[[Any], Visibility],
    *,
    archived: bool | None,
    after: Place | None,
    limit: int,
) -> Found:
    """Those after a place, one more than the limit if there are. `visible`: of the columns of `customer_search`."""
    search = _Search(session, query, numbers, visible, archived)
    beyond: list[Hit] = []
    for ask in (search.as_written, search.as_heard):
        await ask()
        beyond = [hit for hit in search.hits() if after is None or after.is_before(hit.place)]
        if sum(hit.place.rank <= last_rank("part") for hit in beyond) > limit:
            break
    return Found(beyond[: limit + 1], search.is_complete)


def _in_all(several: Sequence[Sequence[str]]) -> list[str]:
    """Those that are in each, in the order of the shortest."""
    first, *others = sorted(several, key=len)
    sets = [frozenset(ids) for ids in others]
    return [id_ for id_ in first if all(id_ in ids for ids in sets)]


def _found_in(rows: Sequence[Any], most: int) -> _Candidates:
    if not rows:
        return _Candidates((), is_complete=True, is_common=False)
    is_common = rows[0].many > SEEN
    ids = tuple(row.id for row in rows)
    return _Candidates(ids, is_complete=not is_common and rows[0].all_of_them <= most, is_common=is_common)


class _Search:
    """What has been found so far for one query."""

    def __init__(
        self,
        session: ReadSession,
        query: SearchQuery,
        numbers: Numbers,
        visible: Callable[[Any], Visibility],
        archived: bool | None,
    ) -> None:
        self._session = session
        self._query = query
        self._numbers = numbers
        self._visible = visible
        self._archived = archived
        self._found: dict[str, Hit | None] = {}
        self._told_of = -1
        self.is_complete = True

    def hits(self) -> list[Hit]:
        """The best first."""
        found = [hit for hit in self._found.values() if hit is not None]
        found.sort(key=lambda hit: (hit.place.created_at, hit.place.id), reverse=True)
        return sorted(found, key=lambda hit: hit.place.rank)

    async def as_written(self) -> None:
        """By all of a text, its beginning, and parts."""
        tenant_id, query = self._session.tenant_id, self._query
        asked = [_Asked([arms.wholes(tenant_id, query)], [None])]
        for words in query.alternatives:
            if len(words) == 1:
                asked.append(_Asked([arms.beginnings(tenant_id, words[0])], words))
            asked.append(_Asked([arms.within(tenant_id, word) for word in words], words))
        found = await self._candidates(asked)
        rows = await self._rows(s.id == any_(literal(list(found.ids), ARRAY(Text())))) if found.ids else []
        is_complete = found.is_complete
        if found.is_common or query.is_short:
            rows += await self._newest_rows(query.alternatives[0])
        if query.is_short:
            is_complete = is_complete and not await self._session.scalar(_MORE_THAN_WALKED)
        self._look_at(rows, "part", is_complete=is_complete)

    async def as_heard(self) -> None:
        """By what a name is read as, sounds like, or is misspelt for; of several words, some as they are written."""
        tenant_id, asked = self._session.tenant_id, []
        for words in self._query.alternatives:
            heard = [arms.sounding(tenant_id, word) for word in words]
            if len(words) > 1:
                heard = [
                    Ways(ways.plain | arms.within(tenant_id, word).plain, ways.odd)
                    for ways, word in zip(heard, words, strict=True)
                ]
            asked.append(_Asked(heard, words))
        found = await self._candidates(asked)
        ids = [id_ for id_ in found.ids if id_ not in self._found]
        rows = await self._rows(s.id == any_(literal(ids, ARRAY(Text())))) if ids else []
        self._look_at(rows, "typo", is_complete=found.is_complete)

    async def _candidates(self, asked: Sequence[_Asked]) -> _Candidates:
        """Of each alternative those that may have all of its words."""
        alone = {each.ways[0].all for each in asked if len(each.ways) == 1}
        several = [(each, arms.together(each.ways)) for each in asked if len(each.ways) > 1]
        alone |= {together for _, together in several if together is not None}
        known = await self._look_up(alone, CANDIDATES)
        found = [self._with_numbers(known[each.ways[0].all], each.words[0]) for each in asked if len(each.ways) == 1]
        for each, together in several:
            numbered = [word for word in each.words if word is not None and word.text in self._numbers]
            if together is None or any(self._numbers[word.text] for word in numbered):
                found.append(await self._one_by_one(each))
            if together is not None:
                found.append(known[together])
        return _all_of(found)

    async def _one_by_one(self, asked: _Asked) -> _Candidates:
        """Of several words that cannot be asked for together: all who have the rarest, or of those that are shown for each."""
        known = await self._look_up({ways.all for ways in asked.ways}, SEEN)
        by_word = [
            (self._with_numbers(known[ways.all], word), word)
            for ways, word in zip(asked.ways, asked.words, strict=True)
        ]
        rare = [
            some
            for some, word in by_word
            if some.is_complete and len(some.ids) <= CANDIDATES and not (word and word.is_short)
        ]
        if rare:
            return min(rare, key=lambda some: len(some.ids))
        ids = _in_all([some.ids for some, _ in by_word])
        return _Candidates(tuple(ids[:CANDIDATES]), is_complete=False, is_common=True)

    def _with_numbers(self, some: _Candidates, word: Word | None) -> _Candidates:
        numbered = self._numbers.get(word.text, {}) if word is not None else {}
        return some._replace(ids=tuple(dict.fromkeys((*numbered, *some.ids)))) if numbered else some

    async def _look_up(self, sets: Collection[frozenset[Arm]], most: int) -> dict[frozenset[Arm], _Candidates]:
        """By set, the newest of those that have all grams of one of its ways."""
        order = list(sets)
        asked = [(n, arm) for n, ways in enumerate(order) for arm in sorted(ways)]
        rows: dict[int, list[Any]] = {}
        if asked:
            values = {
                "ns": [n for n, _ in asked],
                "masks": [arm.mask for _, arm in asked],
                "grams": ["{" + ",".join(map(str, arm.grams)) + "}" for _, arm in asked],
                "most": most,
            }
            for row in await self._session.execute(self._shown_by_index(), values):
                rows.setdefault(row.n, []).append(row)
        return {ways: _found_in(rows.get(n, []), most) for n, ways in enumerate(order)}

    def _shown_by_index(self) -> Select[Any]:
        numbers, masks = (bindparam(name, type_=ARRAY(Integer())) for name in ("ns", "masks"))
        texts = bindparam("grams", type_=ARRAY(Text()))
        asked = func.unnest(numbers, masks, texts).table_valued("n", "mask", "grams").render_derived(name="asked")
        seen = self._visible(s)
        # Each by itself and with a bound, so that the index on grams serves it whatever PostgreSQL takes the tenant's size to be.
        having = self._bounded(select(s.id, s.created_at), seen, s)
        having = having.where(s.grams.bool_op("@>")(cast(asked.c.grams, ARRAY(Integer()))))
        if not seen.is_whole:
            # Who is found by what is hidden must not even count: how many there are would tell of it.
            for place, part in enumerate(PARTS):
                is_of = cast(asked.c.mask, Integer()).op("&")(1 << place) != 0
                having = having.where(or_(~is_of, seen.parts[part]))
        some = having.limit(SEEN + 1).correlate(asked).lateral("some")
        counted = select(some.c.id, some.c.created_at, func.count().over().label("many")).lateral("counted")
        once = (
            select(asked.c.n, counted.c.id, counted.c.created_at, func.max(counted.c.many).label("many"))
            .join(counted, true())
            .group_by(asked.c.n, counted.c.id, counted.c.created_at)
            .subquery("once")
        )
        newest = (once.c.created_at.desc(), once.c.id.desc())
        ranked = select(
            once.c.n,
            once.c.id,
            func.row_number().over(partition_by=once.c.n, order_by=newest).label("place"),
            func.count().over(partition_by=once.c.n).label("all_of_them"),
            func.max(once.c.many).over(partition_by=once.c.n).label("many"),
        ).subquery("ranked")
        return (
            select(ranked)
            .where(ranked.c.place <= bindparam("most", type_=Integer()))
            .order_by(ranked.c.n, ranked.c.place)
        )

    async def _newest_rows(self, words: Sequence[Word]) -> list[Any]:
        """Of the newest customers, those that have all words as they are written, without the index."""
        seen = self._visible(_NEWEST.c)
        conditions = []
        for word in words:
            arms_ = [and_(seen.parts[part], func.strpos(_NEWEST.c[part], word.text) > 0) for part in PARTS]
            if word.digits:
                arms_.append(and_(seen.parts["personal"], func.strpos(_NEWEST.c.personal, word.digits) > 0))
            if numbered := self._numbers.get(word.text):
                arms_.append(_NEWEST.c.id == any_(literal(sorted(numbered), ARRAY(Text()))))
            conditions.append(or_(*arms_))
        return await self._rows(and_(*conditions), _NEWEST.c, limit=CANDIDATES)

    async def _rows(self, condition: ColumnElement[bool], c: Any = s, limit: int | None = None) -> list[Any]:
        seen = self._visible(c)
        shown = [c[part] if seen.is_whole else case((seen.parts[part], c[part])).label(part) for part in PARTS]
        statement = self._bounded(select(c.id, c.kind, c.created_at, *shown), seen, c).where(condition)
        return list((await self._session.execute(statement.limit(limit))).all())

    def _bounded(self, statement: Select[Any], seen: Visibility, c: Any) -> Select[Any]:
        statement = statement.where(seen.customers)
        if not seen.is_whole:
            statement = statement.join(EntityCopy, columns(EntityCopy).id == c.id)
        if self._archived is not None:
            statement = statement.where(c.archived if self._archived else ~c.archived)
        return statement

    def _look_at(self, rows: Iterable[Any], least: MatchKind, *, is_complete: bool) -> None:
        for row in rows:
            if row.id not in self._found:
                self._found[row.id] = self._hit(row)
        if not is_complete:
            # Of what this question could not tell all, a wider one tells nothing more: pages would miss it.
            self.is_complete, self._told_of = False, last_rank(least)

    def _hit(self, row: Any) -> Hit | None:
        texts = [text for part in PARTS for text in parse(row._mapping[part])]
        numbers = {word: of[row.id] for word, of in self._numbers.items() if row.id in of}
        fit = fit_of(self._query, texts, numbers)
        if fit is None or fit.rank <= self._told_of:
            return None
        return Hit(Place(fit.rank, row.created_at, row.id), row.kind, fit.matched)
