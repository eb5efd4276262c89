"""Dirty contacts, as `duplicates_data.py` makes contacts: fields missing and exchanged, families at one address and in one
mailbox, companies with branches and a switchboard, fathers and sons of one name.
"""

import random
from dataclasses import replace

from duplicates_data import Error, Record, birthday, slipped, without, written_again, zipf

_FIRST = """
    James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas
    Sarah Charles Karen Christopher Lisa Daniel Nancy Matthew Betty Anthony Sandra Mark Margaret Donald Ashley Steven Kimberly
    Andrew Emily Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa George Deborah Timothy Stephanie Ronald
    Rebecca Jason Sharon Edward Laura Jeffrey Cynthia Ryan Kathleen Jacob Amy Gary Angela Nicholas Shirley Eric Anna Jonathan
    Brenda Stephen Pamela Larry Emma Justin Nicole Scott Helen Brandon Samantha Benjamin Katherine Samuel Christine Gregory
    Debra Alexander Rachel Patrick Carolyn Frank Janet Raymond Catherine Jack Maria Dennis Heather Jerry Diane Tyler Ruth
    Fatima Mohammed Priya Arjun Mei Hiroshi Yuki Ingrid Lars Sofia Mateo Olga Dmitri Chloe Aisha Kwame Ngozi Thi Linh
""".split()
_LAST = """
    Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas
    Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King
    Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips
    Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper
    Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz
    Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell
    Coleman Butler Henderson Barnes Fisher Vasquez Simmons Romero Jordan Patterson Alexander Hamilton Graham Reynolds Griffin
    O'Brien Müller Schneider Dubois Lefèvre Rossi Kowalski Novák Jensen Andersson van Dijk Ivanova Okafor Chowdhury Tanaka
""".split()
_NICKNAMES = {
    "James": "Jim", "Robert": "Bob", "Patricia": "Pat", "John": "Jack", "Jennifer": "Jenny", "Michael": "Mike",
    "Elizabeth": "Liz", "William": "Bill", "Barbara": "Barb", "Richard": "Dick", "Susan": "Sue", "Joseph": "Joe",
    "Thomas": "Tom", "Charles": "Chuck", "Christopher": "Chris", "Daniel": "Dan", "Matthew": "Matt", "Anthony": "Tony",
    "Margaret": "Peggy", "Steven": "Steve", "Kimberly": "Kim", "Andrew": "Andy", "Kenneth": "Ken", "Edward": "Ted",
    "Katherine": "Kate", "Rebecca": "Becky", "Deborah": "Debbie", "Samuel": "Sam", "Alexander": "Alex",
}  # fmt: skip
_STREETS = """
    Main Oak Pine Maple Cedar Elm Washington Lake Hill Park View Spring River Church Highland Forest Lincoln Jackson Franklin
    Madison Sunset Railroad Meadow Chestnut Willow Mill Union Center Grant Jefferson Walnut Prospect Ridge Adams Lakeview
""".split()
_KINDS = {"Street": "St", "Avenue": "Ave", "Road": "Rd", "Drive": "Dr", "Lane": "Ln", "Court": "Ct"}
_TOWNS = (
    ("Chicago", "IL", "606"), ("Springfield", "IL", "627"), ("Portland", "OR", "972"), ("Salem", "OR", "973"),
    ("Austin", "TX", "787"), ("Dallas", "TX", "752"), ("Denver", "CO", "802"), ("Boston", "MA", "021"),
    ("Columbus", "OH", "432"), ("Dayton", "OH", "454"), ("Seattle", "WA", "981"), ("Tacoma", "WA", "984"),
)  # fmt: skip
_FIRMS = "Acme Globex Initech Umbrella Stark Wayne Hooli Vandelay Wonka Soylent Cyberdyne Tyrell Aperture Oscorp Duff".split()
_TRADES = "Systems Foods Logistics Partners Industries Software Energy Insurance Medical Consulting".split()
_FORMS = ("Inc.", "LLC", "Corp.", "Ltd", "")
_HOSTS = ("gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com", "icloud.com")


def dirty(seed: int = 23, people: int = 2_500) -> list[Record]:
    random_ = random.Random(seed)
    firms = [_firm(random_) for _ in range(120)]
    known: list[Record] = []
    while len(known) < people:
        kind = random_.random()
        if kind < 0.15:
            known += _family(random_, len(known))
        elif kind < 0.35:
            known += _colleagues(random_, len(known), random_.choice(firms))
        else:
            known.append(_person(random_, len(known)))
            if kind > 0.95:
                known.append(_namesake(random_, len(known), known[-1]))
    return [_some_missing(random_, record) for record in written_again(random_, known, 0.35, _ERRORS)]


def _some_missing(random_: random.Random, record: Record) -> Record:
    gone = {
        "birthday": 0.75,
        "street": 0.35,
        "company": 0.6,
        "email": 0.35,
        "postal_code": 0.5,
        "phone": 0.3,
        "city": 0.3,
    }
    gone |= {"region": 0.4, "first_name": 0.06}
    record = replace(record, **{name: "" for name, share in gone.items() if random_.random() < share})
    return replace(record, full_name=f"{record.first_name} {record.last_name}".strip())


def _person(random_: random.Random, number: int) -> Record:
    first, last = zipf(random_, _FIRST), zipf(random_, _LAST)
    local = random_.choice(
        (f"{first}.{last}", f"{first[0]}{last}", f"{last}{random_.randint(1, 99)}", f"{first}{last}")
    )
    local = local.lower().replace(" ", "").replace("'", "")
    return replace(
        _home(random_),
        person=f"d{number}",
        first_name=first,
        last_name=last,
        email=f"{local}{random_.randint(1, 999) if random_.random() < 0.5 else ''}@{zipf(random_, _HOSTS)}",
        phone=_phone(random_),
        birthday=birthday(random_),
        company=_firm(random_)[0] if random_.random() < 0.3 else "",
    )


def _phone(random_: random.Random) -> str:
    area = random_.choice(("312", "503", "512", "720", "617", "614", "206"))
    return f"{area}{random_.randint(2, 9)}{random_.randrange(10**6):06}"


def _home(random_: random.Random) -> Record:
    city, region, code = random_.choice(_TOWNS)
    street = f"{random_.randint(1, 2400)} {random_.choice(_STREETS)} {random_.choice(list(_KINDS))}"
    flat = f" Apt {random_.randint(1, 60)}" if random_.random() < 0.25 else ""
    return Record(
        person="", street=street + flat, city=city, region=region, postal_code=f"{code}{random_.randint(0, 40):02}"
    )


def _family(random_: random.Random, number: int) -> list[Record]:
    """At one address, with one number and sometimes one mailbox; at times father and son have one name."""
    head = _person(random_, number)
    family = [head]
    for _ in range(random_.randint(1, 4)):
        each = _person(random_, number + len(family))
        shared = {name: getattr(head, name) for name in ("last_name", "street", "city", "region", "postal_code")}
        each = replace(each, **shared)
        if random_.random() < 0.6:
            each = replace(each, phone=head.phone)
        if random_.random() < 0.2:
            each = replace(each, email=head.email)
        family.append(each)
    if random_.random() < 0.1:
        family[-1] = replace(family[-1], first_name=head.first_name)
    return family


def _firm(random_: random.Random) -> tuple[str, str, list[Record]]:
    """Its name, its switchboard and its branches."""
    name = f"{random_.choice(_FIRMS)} {random_.choice(_TRADES)} {random_.choice(_FORMS)}".strip()
    return name, _phone(random_), [_home(random_) for _ in range(random_.randint(1, 4))]


def _colleagues(random_: random.Random, number: int, firm: tuple[str, str, list[Record]]) -> list[Record]:
    """Reached at work: at a branch's address, most of them through the switchboard."""
    name, switchboard, branches = firm
    host = f"{name.split()[0].lower()}{name.split()[1].lower()}.com"
    staff = []
    for _ in range(random_.randint(1, 5)):
        each = _person(random_, number + len(staff))
        branch = random_.choice(branches)
        each = replace(branch, **{part: getattr(each, part) for part in _OF_THE_PERSON})
        local = f"{each.first_name}.{each.last_name}".lower().replace(" ", "").replace("'", "")
        phone = switchboard if random_.random() < 0.6 else each.phone
        staff.append(replace(each, company=name, phone=phone, email=f"{local}@{host}"))
    return staff


_OF_THE_PERSON = ("person", "first_name", "last_name", "email", "phone", "birthday")


def _namesake(random_: random.Random, number: int, of: Record) -> Record:
    return replace(_person(random_, number), first_name=of.first_name, last_name=of.last_name)


def _nickname(_random: random.Random, record: Record) -> Record:
    return replace(record, first_name=_NICKNAMES.get(record.first_name, record.first_name[:1]))


def _names_exchanged(_random: random.Random, record: Record) -> Record:
    return replace(record, first_name=record.last_name, last_name=record.first_name)


def _name_in_one_field(random_: random.Random, record: Record) -> Record:
    whole = random_.choice((f"{record.last_name}, {record.first_name}", f"{record.first_name} {record.last_name}"))
    return replace(record, first_name=whole, last_name="")


def _initial_added(random_: random.Random, record: Record) -> Record:
    return replace(record, first_name=f"{record.first_name} {random_.choice('ABCDEJLMRST')}.")


def _married(random_: random.Random, record: Record) -> Record:
    return replace(record, last_name=zipf(random_, _LAST))


def _places_exchanged(_random: random.Random, record: Record) -> Record:
    return replace(record, city=record.region, region=record.city)


def _street_short(_random: random.Random, record: Record) -> Record:
    street = record.street
    for kind, short in _KINDS.items():
        street = street.replace(kind, short)
    return replace(record, street=street.replace("Apt ", "#").upper())


def _flat_apart(_random: random.Random, record: Record) -> Record:
    return replace(record, street=record.street.partition(" Apt")[0])


def _moved(random_: random.Random, record: Record) -> Record:
    home = _home(random_)
    return replace(record, **{name: getattr(home, name) for name in ("street", "city", "region", "postal_code")})


def _phone_form(random_: random.Random, record: Record) -> Record:
    if len(record.phone) != 10:
        return record
    area, rest = record.phone[:3], f"{record.phone[3:6]}-{record.phone[6:]}"
    return replace(record, phone=random_.choice((f"({area}) {rest}", f"+1 {area} {rest}", f"{area}.{rest}")))


def _work_address(random_: random.Random, record: Record) -> Record:
    local = f"{record.first_name}.{record.last_name}".lower().replace(" ", "").replace("'", "").replace(",", "")
    return replace(record, email=f"{local}@{random_.choice(_FIRMS).lower()}{random_.choice(_TRADES).lower()}.com")


_ERRORS: list[tuple[float, Error]] = [
    (3, slipped("first_name")),
    (3, slipped("last_name")),
    (2, _nickname),
    (2, _names_exchanged),
    (1, _name_in_one_field),
    (1, _initial_added),
    (0.5, _married),
    (1, _places_exchanged),
    (3, _street_short),
    (1, _flat_apart),
    (1, slipped("street")),
    (1, _moved),
    (3, _phone_form),
    (2, slipped("phone", "0123456789")),
    (1, slipped("email")),
    (2, _work_address),
    (1, slipped("birthday", "0123456789")),
    (2, without("email")),
    (2, without("phone")),
    (1, without("street", "city", "region", "postal_code")),
]
