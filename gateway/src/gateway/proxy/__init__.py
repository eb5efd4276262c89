"""The proxy: `/v1/<prefix>/…` to the service that owns the prefix. It knows prefixes, and nothing of what is behind."""

from collections.abc import Callable

from crm_kit.manifest import Feature

from gateway.proxy.fast import fast_routes
from gateway.proxy.route import ProxyRoute
from gateway.proxy.table import RouteTable
from gateway.upstream import open_services


def proxy_to(load_table: Callable[[], RouteTable]) -> Feature:
    """The proxy as a feature, last of the manifest: what the gateway answers itself comes before it."""
    return Feature(
        routes=(ProxyRoute(load_table),),
        fast_routes=lambda: fast_routes(load_table),
        uploads=lambda path: path in load_table().uploads,
        lifespan=open_services,
    )
