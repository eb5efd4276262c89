"""The documents over HTTP. Open to anybody: they hold no customer's data."""

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from crm_contracts import asyncapi
from crm_kit.errors import NotFound, Text
from crm_kit.http.principal import TokenMint
from crm_kit.http.problems import preferred_language
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.documents.packaged import openapi
from gateway.documents.problem_pages import WORDS, problems

_HERE: Final = Path(__file__).parent
_TEMPLATES: Final = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=select_autoescape(["j2"]))
_HTML_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Accept-Language",
}
_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "page.css": "text/css",
}
_LINKS: Final = [
    ("/docs", "Every operation, to read and to try", "全部接口，可阅读和试用"),
    ("/openapi.json", "The same for machines: OpenAPI 3.1", "机器可读：OpenAPI 3.1"),
    ("/asyncapi.json", "Every event: AsyncAPI 3", "全部事件：AsyncAPI 3"),
    ("/problems", "Every error code and what to do", "全部错误代码及处理方法"),
    ("/.well-known/oauth-authorization-server", "How machine clients get a token", "机器客户端如何获取令牌"),
    ("/.well-known/jwks.json", "The keys that verify tokens of the gateway", "校验网关令牌的公钥"),
    ("/healthz", "Whether this process is alive", "进程存活检查"),
    ("/readyz", "Whether it can answer", "就绪检查"),
    ("/metrics", "Prometheus metrics", "Prometheus 指标"),
]


async def index(request: Request) -> Response:
    links = [{"href": href, "title": {"en": english, "zh": chinese}} for href, english, chinese in _LINKS]
    if not _wants_html(request):
        return JSONResponse({"name": "Relata", "links": links})
    return _html(request, "index.html.j2", links=links)


async def openapi_document(request: Request) -> Response:
    return _document(request, _openapi_bytes())


async def asyncapi_document(request: Request) -> Response:
    return _document(request, _asyncapi_bytes())


async def docs(request: Request) -> Response:
    return _html(request, "docs.html.j2")


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise NotFound
    return _document(request, _asset(name), _ASSETS[name], {"Cache-Control": "public, max-age=3600"})


async def problem_list(request: Request) -> Response:
    listed = list(problems().values())
    if not _wants_html(request):
        return JSONResponse({"data": listed})
    words = WORDS[_language(request)]
    return _html(request, "problems.html.j2", problems=listed, heading=words["heading"], key=words["key"])


async def problem(request: Request) -> Response:
    found = problems().get(request.path_params["code"])
    if found is None:
        raise NotFound(
            Text("No problem has this code; all are at /problems.", "没有此错误代码；全部代码见 /problems。")
        )
    if not _wants_html(request):
        return JSONResponse({"type": f"/problems/{found['code']}", **found})
    first = _language(request)
    languages = [first, "zh" if first == "en" else "en"]
    sections = [("zh-CN" if language == "zh" else "en", WORDS[language]) for language in languages]
    return _html(request, "problem.html.j2", problem=found, sections=sections)


async def jwks(request: Request) -> Response:
    mint: TokenMint = request.app.state.mint
    return JSONResponse(mint.public_jwks(), headers={"Cache-Control": "public, max-age=300"})


ROUTES: Final = (
    Route("/", index, include_in_schema=False),
    Route("/openapi.json", openapi_document, include_in_schema=False),
    Route("/asyncapi.json", asyncapi_document, include_in_schema=False),
    Route("/docs", docs, include_in_schema=False),
    Route("/docs/assets/{name}", asset, include_in_schema=False),
    Route("/problems", problem_list, include_in_schema=False),
    Route("/problems/{code}", problem, include_in_schema=False),
    Route("/.well-known/jwks.json", jwks, include_in_schema=False),
)


@cache
def _openapi_bytes() -> bytes:
    return json.dumps(openapi(), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _asyncapi_bytes() -> bytes:
    return json.dumps(asyncapi.document(), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _asset(name: str) -> bytes:
    """Ours, or Swagger UI's out of the wheel that carries its distribution."""
    own = _HERE / "assets" / name
    if own.exists():
        return own.read_bytes()
    bundle = find_spec("fastapi_offline")
    assert bundle is not None, "requirements.lock names it"
    assert bundle.submodule_search_locations is not None
    return (Path(bundle.submodule_search_locations[0]) / "static" / name).read_bytes()


def _document(
    request: Request, body: bytes, media_type: str = "application/json", headers: dict[str, str] | None = None
) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    answered = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", **(headers or {})}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=answered)
    return Response(body, headers=answered, media_type=media_type)


def _html(request: Request, template: str, **values: Any) -> Response:
    language = "zh-CN" if _language(request) == "zh" else "en"
    text = _TEMPLATES.get_template(template).render(language=language, **values)
    return Response(text, headers=_HTML_HEADERS, media_type="text/html")


def _language(request: Request) -> str:
    return preferred_language(request.headers.get("accept-language", ""))


def _wants_html(request: Request) -> bool:
    """Browsers name text/html; programs mostly say */* and are given JSON."""
    return "text/html" in request.headers.get("accept", "")
