"""What a service is: one object that lists everything it can do."""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_contracts.registry import Topic
from fastapi import APIRouter, FastAPI
from sqlalchemy import MetaData
from starlette.datastructures import State
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from crm_kit.http.fast_path import FastRoute
from crm_kit.http.origin import OriginOf
from crm_kit.http.uploads import upload_paths
from crm_kit.inbox import Consumer
from crm_kit.jobs.steps import JobKind
from crm_kit.observability.measuring import Measure
from crm_kit.outbox import EntityEvents
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.sealed import SealedColumn
from crm_kit.timers import TimerHandler

if TYPE_CHECKING:
    from crm_kit.runtime import Runtime

Lifespan = Callable[[FastAPI, "Runtime"], AbstractAsyncContextManager[None]]
"""Opens and closes what a feature holds while the process serves."""

Worker = Callable[["Runtime"], Coroutine[Any, Any, None]]
"""What runs beside the consumers, until cancelled; it survives whatever fails."""

TimerFactory = Callable[[ServiceSettings], Mapping[str, TimerHandler]]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature's contributions to its service. `routes` are plain ASGI ones, in no OpenAPI document; `fast_routes` answer
    the usual request to one of the others.

    `uploads`: whether a path takes files, beside those that the router declares.
    `measures`: of what lies in its tables, for metrics; taken where timers run.
    `topics`: what it publishes beside its entities.
    `middleware`: goes around the whole application; it is given that and the application's state, which the lifespan fills.
    """

    router: APIRouter | None = None
    routes: tuple[BaseRoute, ...] = ()
    fast_routes: Callable[[], Iterable[FastRoute]] = tuple
    consumers: tuple[Consumer, ...] = ()
    workers: Mapping[str, Worker] = field(default_factory=dict)
    timers: TimerFactory | None = None
    jobs: tuple[JobKind, ...] = ()
    lifespan: Lifespan | None = None
    uploads: Callable[[str], bool] | None = None
    topics: tuple[Topic, ...] = ()
    middleware: Callable[[ASGIApp, State], ASGIApp] | None = None
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Command:
    """`python -m <service> <name>` of one service. `run` answers the exit code, and may raise SettingsError."""

    name: str
    help: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[ServiceSettings, Namespace], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One service. `name` is its word in topics, settings and metrics; `metadata` holds all of its tables.

    `database_settings`: PostgreSQL's, for the application's connections.
    `sealed`: what is sealed under its secret, and has to be sealed anew where a tenant is taken in from elsewhere.
    `serves_openapi`: whether `/openapi.json` is this service's own document.
    `origin`: how it knows where a request came from, where not by the gateway's word.
    """

    name: str
    package: str
    title: str
    summary: str
    settings: type[ServiceSettings] = ServiceSettings
    metadata: MetaData
    migrations: Path
    features: tuple[Feature, ...]
    publishes: tuple[EntityEvents[Any, Any], ...]
    commands: tuple[Command, ...] = ()
    sealed: tuple[SealedColumn, ...] = ()
    system_tables: Mapping[str, str] = field(default_factory=dict)
    database_settings: Mapping[str, str] = field(default_factory=dict)
    serves_openapi: bool = True
    origin: Callable[[ServiceSettings], OriginOf] | None = None

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        return tuple(consumer for feature in self.features for consumer in feature.consumers)

    def takes_files(self, path: str) -> bool:
        """Whether what is sent to a path may be as large as a file."""
        return path in self._upload_paths or any(one.uploads(path) for one in self.features if one.uploads is not None)

    @cached_property
    def _upload_paths(self) -> frozenset[str]:
        return upload_paths(feature.router for feature in self.features)

    @property
    def jobs(self) -> Mapping[str, JobKind]:
        return {kind.name: kind for feature in self.features for kind in feature.jobs}

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic that it writes or reads."""
        read = {topic.name: topic for consumer in self.consumers for topic in consumer.topics}
        told = [*(events.topic for events in self.publishes), *(one for each in self.features for one in each.topics)]
        return tuple({**read, **{topic.name: topic for topic in told}}.values())
