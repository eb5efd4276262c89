"""Query parameters that are not known are refused rather than ignored: what they asked for would not be in the answer."""

from collections.abc import Container
from typing import Final

from crm_kit.errors import FieldError, Text, ValidationFailed
from fastapi import Request
from fastapi.routing import APIRoute

SEE_ERRORS: Final = Text("Some parameters are not valid; see errors.", "参数无效，见 errors。")


def unknown_parameters(request: Request, known: Container[str]) -> list[FieldError]:
    return [
        FieldError(f"?{name[:100]}", "unknown_parameter", Text("This parameter is not known.", "未知参数。"))
        for name in request.query_params
        if name not in known
    ]


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of every route whose parameters FastAPI reads. Raises ValidationFailed."""
    route: APIRoute = request.scope["route"]
    faults = unknown_parameters(request, {each.alias for each in route.dependant.query_params})
    if faults:
        raise ValidationFailed(SEE_ERRORS, errors=faults)
