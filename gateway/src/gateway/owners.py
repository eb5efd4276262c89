"""Asking the services for what may lie in any of them: for the one thing of an id, which does not say where, and for lists."""

from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

import orjson
from crm_contracts.types import Contract
from crm_kit.errors import NotFound, Problem, Text, UpstreamFailed, problem_classes
from crm_kit.http.principal import Principal
from crm_kit.http.problems import PROBLEM_TYPE
from fastapi import Request
from pydantic import BaseModel, ValidationError

from gateway.upstream import SERVICES, Answer, Service, ServiceClient, UpstreamUnavailable

ModelT = TypeVar("ModelT", bound=Contract)

_FORWARDED: Final = ("accept-language", "idempotency-key", "if-match")


async def ask_owner(request: Request, caller: Principal, target: str, *, method: str | None = None) -> Answer:
    """What the service that has it answers to the request's method, or to another.

    Everybody is asked, and who has no such thing does nothing. So the Idempotency-Key is kept by the service in the
    transaction of the effect, and a retry finds the first answer there though the thing is gone.
    Raises NotFound, the service's own problem, or UpstreamUnavailable where somebody who might have it does not answer.
    """
    settings = request.app.state.settings
    method = method or request.method
    seconds: float = settings.live_deadline_seconds if method == "GET" else settings.upstream_read_seconds
    client: ServiceClient = request.app.state.services
    answers = await client.call_each(caller, SERVICES, method, target, headers=_passed_on(request), timeout=seconds)
    problem: Problem = NotFound()
    for service, answer in answers.items():
        if answer is None:
            problem = UpstreamUnavailable(service)
        elif answer.is_success:
            return answer
    for service, answer in answers.items():
        if answer is not None and answer.status_code != 404:
            raise _problem(service, answer)
    raise problem


async def ask_one(request: Request, caller: Principal, service: Service, target: str) -> Answer:
    """What one service answers to a GET. Raises its problem, or UpstreamUnavailable."""
    client: ServiceClient = request.app.state.services
    seconds: float = request.app.state.settings.live_deadline_seconds
    answer = await client.call(caller, service, "GET", target, headers=_passed_on(request), timeout=seconds)
    if not answer.is_success:
        raise _problem(service, answer)
    return answer


async def ask_each(
    request: Request, caller: Principal, services: Sequence[Service], path: str, query: BaseModel, model: type[ModelT]
) -> tuple[list[ModelT], list[Service]]:
    """The lists of those that answered, and who did not answer in time."""
    params = urlencode(query.model_dump(mode="json", exclude_none=True))
    client: ServiceClient = request.app.state.services
    seconds: float = request.app.state.settings.live_deadline_seconds
    return await client.read_each(
        caller, services, f"{path}?{params}", model, headers=_passed_on(request), timeout=seconds
    )


def _passed_on(request: Request) -> dict[str, str]:
    """Of the client's headers those that the services are to see."""
    return {name: request.headers[name] for name in _FORWARDED if name in request.headers}


def _problem(service: Service, answer: Answer) -> Problem:
    """The problem that a service answered, to be answered by us."""
    if answer.headers.get("content-type", "").startswith(PROBLEM_TYPE):
        body = orjson.loads(answer.content)
        for kind in problem_classes():
            if kind.code == body["code"] and kind.status == answer.status_code < 500:
                detail = str(body.get("detail") or body["title"])  # in the client's language, which was passed on
                headers = {name: answer.headers[name] for name in ("ETag", "Retry-After") if name in answer.headers}
                members = {name: body[name] for name in ("current_version",) if name in body}
                return kind(Text(detail, detail), headers=headers, members=members)
    return UpstreamFailed(
        Text(f"{service} answered in a way that makes no sense.", f"{service} 服务的响应无法识别。"),
        members={"service": service},
    )


def read_answer(model: type[ModelT], answer: Answer) -> ModelT:
    """Raises UpstreamFailed."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise UpstreamFailed from error
