"""create_app: a manifest made into an ASGI application."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.orm import configure_mappers
from starlette.datastructures import State
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_kit.audit.reads import ReadsTold
from crm_kit.audit.router import router as audit
from crm_kit.db.statement_pool import open_statement_pool
from crm_kit.dead_letters.router import router as dead_letters
from crm_kit.http import problems
from crm_kit.http.fast_path import FastPath
from crm_kit.http.lifecycle import LifecycleMiddleware
from crm_kit.http.middleware import KitMiddleware
from crm_kit.http.origin import OriginOf, told_by_gateway
from crm_kit.http.principal import Authenticator, TokenVerifier
from crm_kit.jobs.router import router as jobs
from crm_kit.manifest import Manifest
from crm_kit.merging.router import router as merging
from crm_kit.openapi import build_openapi
from crm_kit.operations import add_operations
from crm_kit.resources.changes import Changes
from crm_kit.resources.creations import Creations
from crm_kit.resources.digest_routes import digest_router
from crm_kit.resources.fast_change import FastChange
from crm_kit.resources.fast_create import FastCreate
from crm_kit.resources.fast_read import FastRead
from crm_kit.resources.inspection import router as inspection
from crm_kit.resources.resource import Resource
from crm_kit.resources.routes import ResourceRouter
from crm_kit.runtime import Runtime
from crm_kit.settings import SettingsError
from crm_kit.states.router import router as states

Fast = FastRead | FastCreate | FastChange

_STATEMENT_CONNECTIONS: Final = 4

_NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""FastAPI's own would tell of paths and of errors' texts, and of no request that the fast path takes."""


class Application(FastAPI):
    """Asked through `outermost`, where there is one. Before each request it `hears` what other processes at its port have told."""

    outermost: ASGIApp | None = None
    hear: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.hear is not None:
            self.hear()
        scope["app"] = self
        await (self.outermost or super().__call__)(scope, receive, send)


class _State(State):
    """Starlette's, kept where Python looks for attributes first: to read one costs a tenth."""

    def __init__(self) -> None:
        super().__init__(self.__dict__)


def _around(
    app: Application, fast: Sequence[Fast], manifest: Manifest, runtime: Runtime, origin_of: OriginOf
) -> ASGIApp:
    """The fast path around the application, and around that what the features put around everything."""
    outermost: ASGIApp = FastPath(
        super(Application, app).__call__,
        service=manifest.name,
        routes=[
            *(one.route for one in fast),
            *(route for feature in manifest.features for route in feature.fast_routes()),
        ],
        state=app.state,
        origin_of=origin_of,
        max_body_bytes=runtime.settings.max_body_bytes,
        is_ending=lambda: runtime.shutdown.asked,
        is_open=lambda: runtime.serves and not runtime.shutdown.asked,
    )
    for feature in manifest.features:
        if feature.middleware is not None:
            outermost = feature.middleware(outermost, app.state)
    return outermost


def _fast(resources: Sequence[Resource[Any, Any, Any]], creations: Creations, changes: Changes) -> list[Fast]:
    read = [resource for resource in resources if "read" not in resource.administered]
    written = [resource for resource in resources if "write" not in resource.administered]
    return [
        *(FastRead(resource) for resource in read),
        *(FastCreate(resource, creations) for resource in written if resource.create),
        *(FastChange(resource, changes) for resource in resources if resource.update and not resource.administered),
    ]


@asynccontextmanager
async def _opened(
    users: Iterable[FastRead | FastChange | Creations | Changes], runtime: Runtime
) -> AsyncIterator[None]:
    """Gives them connections of their own, which are opened when one of them first asks."""
    settings, name = runtime.settings, f"{runtime.manifest.name}-statements"
    async with open_statement_pool(
        settings.database_url,
        size=_STATEMENT_CONNECTIONS,
        name=name,
        by_transaction=settings.lends_by_transaction,
    ) as pool:
        for user in users:
            user.use(pool)
        yield


def create_app(manifest: Manifest, runtime: Runtime | None, authenticator: Authenticator | None = None) -> FastAPI:
    """The service's application. Without a runtime it only knows its own OpenAPI document."""
    resources = []
    if authenticator is None:  # what the gateway has of its own is seldom asked for
        resources = [each.router.resource for each in manifest.features if isinstance(each.router, ResourceRouter)]
    creations, changes = Creations(), Changes()
    fast = _fast(resources, creations, changes)
    asking = [each for each in fast if not isinstance(each, FastCreate)]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert runtime is not None, "an application without a runtime cannot serve"
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(runtime.running())
            await stack.enter_async_context(_opened([*asking, creations, changes], runtime))
            for feature in manifest.features:
                if feature.lifespan is not None:
                    await stack.enter_async_context(feature.lifespan(app, runtime))
            yield

    app = Application(
        title=manifest.title,
        summary=manifest.summary,
        version="1.0.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if manifest.serves_openapi else None,
        redirect_slashes=False,
        separate_input_output_schemas=True,
        telemetry=_NO_TELEMETRY,
    )
    app.state = _State()
    problems.install(app)
    for feature in manifest.features:
        if feature.router is not None:
            app.include_router(feature.router)
        app.router.routes.extend(feature.routes)
    if authenticator is None:  # who is asked by the gateway, and verifies its tokens
        _include_kit_routers(app, resources)
    add_operations(app, runtime)
    app.openapi = lambda: build_openapi(app, manifest)  # type: ignore[method-assign]  # FastAPI's documented way
    if runtime is not None:
        app.state.database = runtime.database
        app.state.settings = runtime.settings
        app.state.runtime = runtime
        app.state.reads_told = ReadsTold(siblings=runtime.siblings)
        app.hear = None if runtime.siblings.is_alone else runtime.siblings.hear
        app.state.authenticator = authenticator or internal_authenticator(runtime.settings.internal_jwks_file)
        origin_of = told_by_gateway if manifest.origin is None else manifest.origin(runtime.settings)
        app.add_middleware(LifecycleMiddleware, serves=lambda: runtime.serves, ending=lambda: runtime.shutdown.asked)
        app.add_middleware(
            KitMiddleware,
            service=manifest.name,
            max_body_bytes=_body_limit(manifest, runtime),
            origin_of=origin_of,
            plain_paths=_plain_paths(manifest),
        )
        app.outermost = _around(app, fast, manifest, runtime, origin_of)
    return app


def _include_kit_routers(app: FastAPI, resources: Sequence[Resource[Any, Any, Any]]) -> None:
    for router in (dead_letters, states, jobs, merging, audit, inspection):
        app.include_router(router)
    for resource in resources:
        if resource.digests is not None:
            app.include_router(digest_router(resource))


def _plain_paths(manifest: Manifest) -> dict[object, str]:
    routes = (route for feature in manifest.features for route in feature.routes)
    return {route.endpoint: route.path for route in routes if isinstance(route, Route)}


def _body_limit(manifest: Manifest, runtime: Runtime) -> Callable[[Scope], int]:
    usual, of_files = runtime.settings.max_body_bytes, runtime.settings.max_upload_bytes

    def limit(scope: Scope) -> int:
        return of_files if scope["method"] == "POST" and manifest.takes_files(scope["path"]) else usual

    return limit


def internal_authenticator(jwks_file: str | None) -> Authenticator:
    """Verifies the gateway's tokens. Raises SettingsError."""
    if jwks_file is None:
        raise SettingsError("INTERNAL_JWKS_FILE: names the file with the gateway's public keys")
    try:
        return TokenVerifier.from_file(jwks_file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"INTERNAL_JWKS_FILE: cannot be read: {error}") from error


def build_routes(app: FastAPI) -> None:
    """What FastAPI and SQLAlchemy otherwise build with the first request: tens of megabytes, which forked processes then share."""
    configure_mappers()
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(scope)
