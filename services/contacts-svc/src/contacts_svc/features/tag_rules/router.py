"""Tag rules over HTTP, how far contacts have come in following them, and whom one would tag."""

from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import json_response, resource_router
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.tag_reasons.schemas import TagRulePreview
from contacts_svc.features.tag_reasons.usecases import preview
from contacts_svc.features.tag_rules import repository
from contacts_svc.features.tag_rules.resource import TAG_RULES
from contacts_svc.features.tag_rules.schemas import TagRuleEvaluation, TagRulePreviewWrite
from contacts_svc.features.tag_rules.usecases import evaluate_anew

router = APIRouter(route_class=TransactionRoute)


@router.get(
    "/v1/tag-rules/evaluation",
    tags=["tag-rules"],
    response_model=TagRuleEvaluation,
    operation_id="get_tag_rule_evaluation",
    summary="Whether all contacts follow the tag rules as they are",
)
async def evaluation(request: Request, session: Reading) -> Response:
    return json_response(request, _told(await repository.evaluation(session)))


@router.post(
    "/v1/tag-rules/evaluation",
    tags=["tag-rules"],
    status_code=202,
    response_model=TagRuleEvaluation,
    operation_id="start_tag_rule_evaluation",
    summary="Hold all contacts against the tag rules once more",
)
async def evaluate(request: Request, session: Writing) -> Response:
    """That is never needed but after a rebuild of what orders, deals and tickets come to."""
    await evaluate_anew(session)
    return json_response(request, _told(await repository.evaluation(session)), status=202)


@router.post(
    "/v1/tag-rules/preview",
    tags=["tag-rules"],
    response_model=TagRulePreview,
    operation_id="preview_tag_rule",
    summary="Whom a rule would tag",
    openapi_extra=route_options(needs="read"),
)
async def show(request: Request, data: TagRulePreviewWrite, session: Writing, caller: Caller) -> Response:
    """Of the contacts that you see. Changes nothing; beyond ten thousand it does not count exactly."""
    return json_response(request, await preview(session, data.where, data.time_zone, caller))


def _told(payload: object) -> TagRuleEvaluation:
    if not isinstance(payload, dict):
        return TagRuleEvaluation(pending=False)
    return TagRuleEvaluation(
        pending=True,
        started_at=payload["started_at"],
        evaluated_until=payload["after"] or None,
        evaluated=payload["evaluated"],
    )


router.include_router(resource_router(TAG_RULES))  # behind them: `evaluation` is no id
