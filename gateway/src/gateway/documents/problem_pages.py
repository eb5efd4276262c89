"""What stands behind a problem's `type`: its meaning, its status, what to do, in English and Chinese."""

from functools import cache
from typing import Any, Final

from crm_kit.errors import problem_classes

from gateway.documents.packaged import openapi

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "key": "en",
        "heading": "What can go wrong",
        "advice": "What to do:",
        "fields": "detail says what happened in this case; errors points at every fault of the input;"
        " trace_id finds the request in the logs.",
    },
    "zh": {
        "key": "zh",
        "heading": "可能出现的问题",
        "advice": "如何处理：",
        "fields": "detail 说明本次具体情况；errors 指出输入中的每处错误；trace_id 用于在日志中查找该请求。",
    },
}


@cache
def problems() -> dict[str, dict[str, Any]]:
    """Every problem of the gateway and the services, by code."""
    own = {
        kind.code: {
            "code": kind.code,
            "status": kind.status,
            "title": {"en": kind.title.en, "zh": kind.title.zh},
            "advice": {"en": kind.advice.en, "zh": kind.advice.zh},
        }
        for kind in problem_classes()
    }
    described = {problem["code"]: problem for problem in openapi()["x-problems"]}
    return dict(sorted({**described, **own}.items()))
