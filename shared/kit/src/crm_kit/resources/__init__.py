"""The seven operations that every resource has, written once: create, read, list, patch, delete, search, batch."""

from crm_kit.resources.copies import copies_reached, copy_levels, rights_to_copy
from crm_kit.resources.listing import condition_problem, list_page, next_link
from crm_kit.resources.resource import Digested, Matcher, PartOf, Resource, base_fields, given, one_by_one
from crm_kit.resources.responses import check_if_match, entity_response, file_response, json_response
from crm_kit.resources.routes import CreateCheck, EntityPath, ReadBeside, list_parameters, resource_router
from crm_kit.resources.schemas import Page, merge_patch_type
from crm_kit.resources.walking import Size, Walk, Walked
from crm_kit.resources.writing import admit, change, create

__all__ = [
    "CreateCheck",
    "Digested",
    "EntityPath",
    "Matcher",
    "Page",
    "PartOf",
    "ReadBeside",
    "Resource",
    "Size",
    "Walk",
    "Walked",
    "admit",
    "base_fields",
    "change",
    "check_if_match",
    "condition_problem",
    "copies_reached",
    "copy_levels",
    "create",
    "entity_response",
    "file_response",
    "given",
    "json_response",
    "list_page",
    "list_parameters",
    "merge_patch_type",
    "next_link",
    "one_by_one",
    "resource_router",
    "rights_to_copy",
]
