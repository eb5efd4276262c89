"""How sensitive each member of an entity is, and what is shown of it to who may see it masked only. Pure.

A member that declares nothing is `private`: it is for those alone who may read everything, until somebody classes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Sensitivity = Literal["open", "personal", "commercial", "private"]
"""`open`: what work is organised by, such as status, owner and references. `personal`: says who a person is or how to
reach them. `commercial`: amounts, and what was bought and written. `private`: everything else.
"""

ALWAYS_SHOWN: Final = frozenset({"id", "version", "created_at", "updated_at"})
"""Of a record that is seen at all."""

SENSITIVITIES: Final[tuple[Sensitivity, ...]] = get_args(Sensitivity)

Mask = Callable[[Any], Any]
"""From a member's JSON value to what may be seen of it, of the same form; None where nothing may."""


@dataclass(frozen=True, slots=True)
class Classified:
    """Stands in a member's `Annotated`. Without a `mask`, masked means hidden."""

    sensitivity: Sensitivity
    mask: Mask | None = None

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        return schema if self.sensitivity == "open" else {**schema, "x-relata-sensitivity": self.sensitivity}


_UNDECLARED: Final = Classified("private")


@cache
def classes_of(model: type[BaseModel]) -> Mapping[str, Classified]:
    """By member, of every member of an entity."""
    return {
        name: next((each for each in field.metadata if isinstance(each, Classified)), _UNDECLARED)
        for name, field in model.model_fields.items()
    }


def mask_text(value: str) -> str:
    """The first character: `张***`."""
    return f"{value[:1]}***"


def mask_email(value: str) -> str:
    """`m***@example.com`."""
    local, at, domain = value.rpartition("@")
    return f"{local[:1]}***{at}{domain}" if at else mask_text(value)


def mask_phone(value: str) -> str:
    """The last four digits and those before the four in front of them: `+86138****8000`."""
    return f"{value[:-8]}****{value[-4:]}" if len(value) >= 11 else "****"


def _mask_each(member: str, mask: Mask) -> Mask:
    return lambda values: [{**value, member: mask(value[member])} for value in values]


def _mask_address(value: Mapping[str, Any]) -> dict[str, Any]:
    return {**value, "street": None, "district": None, "postal_code": None}


OPEN: Final = Classified("open")
PERSONAL: Final = Classified("personal")
COMMERCIAL: Final = Classified("commercial")
PRIVATE: Final = Classified("private")
NAME: Final = Classified("personal", mask_text)
EMAILS: Final = Classified("personal", _mask_each("address", mask_email))
EMAIL: Final = Classified("personal", mask_email)
PHONES: Final = Classified("personal", _mask_each("number", mask_phone))
PHONE: Final = Classified("personal", mask_phone)
ADDRESS: Final = Classified("personal", _mask_address)
