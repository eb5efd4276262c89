"""Rows that match nobody, and are probably contacts that are there already."""

from collections.abc import Iterable, Mapping, Sequence

from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal

from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.contacts.usecases import write_members
from contacts_svc.features.duplicates.repository import Compared, companies
from contacts_svc.features.duplicates.schemas import Candidate
from contacts_svc.features.duplicates.usecases import MOST_NAMED, candidate_of, duplicates_of_each, probably
from contacts_svc.features.import_references.usecases import PLANNED
from contacts_svc.features.import_rows.rules import Json
from contacts_svc.features.import_rows.schemas import ParsedRow, Result, Terms
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM


class Likeness:
    """Of the rows of a page. `look_at` some of them, and `note` what becomes of each before the next is asked for."""

    def __init__(self, session: WriteSession, terms: Terms, caller: Principal) -> None:
        self._session = session
        self._terms = terms
        self._caller = caller
        self._found: Mapping[int, Sequence[Candidate]] = {}
        self._became: dict[str, str] = {}

    async def look_at(self, rows: Iterable[ParsedRow]) -> None:
        """Compares them with what is there and with one another."""
        self._found, self._became = {}, {}
        if self._terms.duplicates == "allow":
            return
        contacts = [row for row in rows if isinstance(row.data, ContactWrite) and not row.faults]
        named = await companies(self._session, {row.data.account_id for row in contacts if row.data.account_id})
        compared = [Compared(self._as_contact(row), self._company(row, named)) for row in contacts]
        likely = await duplicates_of_each(self._session, compared, least=REPORTED_FROM, among=True)
        self._found = {
            row.number: [candidate_of(each) for each in found] for row, found in zip(contacts, likely, strict=True)
        }

    def of(self, row: ParsedRow) -> list[Candidate]:
        """The likeliest first. A row before it stands for what has become of that: a refused one for nobody of its own."""
        found: dict[str, Candidate] = {}
        for each in self._found.get(row.number, ()):
            id_ = self._became.get(each.id) if each.id.startswith(PLANNED) else each.id
            if id_ is not None:
                found.setdefault(id_, each.model_copy(update={"id": id_}))
        return list(found.values())[:MOST_NAMED]

    def note(self, results: Iterable[Result]) -> None:
        """A dry run's records are not there afterwards: its rows stand for them."""
        for result in results:
            if result.place == 0 and result.entity_id is not None:
                is_planned = self._terms.dry_run and result.outcome == "created"
                row = f"{PLANNED}{result.row}"
                self._became[row] = row if is_planned else result.entity_id

    def forget(self) -> None:
        """What has become of the rows that were looked at: it is undone, and they are taken anew."""
        self._became.clear()

    def told(self, likely: Sequence[Candidate]) -> Json:
        """As the answer to a creation with `duplicates=refuse`."""
        number = likely[0].id.removeprefix(PLANNED)
        text = None
        if number != likely[0].id:
            text = Text(f"It is probably the same as row {number}.", f"很可能与第 {number} 行相同。")
        return probably(likely, text).body(self._terms.language)

    def _as_contact(self, row: ParsedRow) -> ContactRow:
        found = new_row(ContactRow, id=f"{PLANNED}{row.number}")
        write_members(self._session, found, row.data, self._caller)
        return found

    def _company(self, row: ParsedRow, named: Mapping[str, str]) -> str | None:
        return row.reference.get("name") or named.get(row.data.account_id or "")
