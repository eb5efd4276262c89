"""What this service provider can do (RFC 7643, sections 5 to 7): open to anybody, the same for all, and constant."""

from typing import Any, Final, TypeVar

from scim2_models import (
    URI,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Context,
    ETag,
    Filter,
    ListResponse,
    Meta,
    Pagination,
    Patch,
    Reference,
    Resource,
    ResourceType,
    Schema,
    ServiceProviderConfig,
    Sort,
)

from gateway.features.scim.requests import DEFAULT_COUNT, MAX_COUNT
from gateway.features.scim.schemas import PREFIX, Group, User

ResourceT = TypeVar("ResourceT", bound=Resource[Any])


def _placed(resource: ResourceT, kind: str, place: str) -> ResourceT:
    resource.meta = Meta(resource_type=kind, location=f"{PREFIX}/{place}")
    return resource


CONFIGURATION: Final = _placed(
    ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MAX_COUNT),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=False,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=DEFAULT_COUNT,
            max_page_size=MAX_COUNT,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="API key",
                description="Authorization: Bearer, and an API key of the tenant with the scope admin",
                primary=True,
            )
        ],
    ),
    "ServiceProviderConfig",
    "ServiceProviderConfig",
)


def _resource_type(model: type[Resource[Any]], name: str, description: str) -> ResourceType:
    made = ResourceType(
        id=name,
        name=name,
        description=description,
        endpoint=Reference[URI](f"/{name}s"),
        schema_=Reference[URI](str(model.__schema__)),
    )
    return _placed(made, "ResourceType", f"ResourceTypes/{name}")


def _schema(model: type[Resource[Any]], description: str) -> Schema:
    made = model.to_schema()
    made.description = description
    return _placed(made, "Schema", f"Schemas/{made.id}")


RESOURCE_TYPES: Final = {
    "User": _resource_type(User, "User", "The people who work with the tenant's customers"),
    "Group": _resource_type(Group, "Group", "Their teams"),
}
SCHEMAS: Final = {
    str(schema.id): schema
    for schema in (_schema(User, "Users, as far as Relata keeps them"), _schema(Group, "Teams and their members"))
}


def shown(resource: Resource[Any]) -> str:
    return resource.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)


def listed(kind: type[ResourceT], resources: list[ResourceT]) -> str:
    count = len(resources)
    answer = ListResponse[kind](  # type: ignore[valid-type]  # the model is a value here
        total_results=count, start_index=1, items_per_page=count, resources=resources
    )
    return answer.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
