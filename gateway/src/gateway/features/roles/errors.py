"""What can go wrong with roles besides their form."""

from crm_kit.errors import Conflict, Forbidden, Text


class RoleInUse(Conflict):
    """Users or keys have it."""

    code = "role_in_use"
    title = Text("The role is in use", "该角色正在使用中")
    advice = Text("Take it from those users and keys first.", "请先从相关用户和密钥中移除该角色。")


class RoleNameTaken(Conflict):
    """Another role has this name; `role_id` names it."""

    code = "role_name_taken"
    title = Text("Another role has this name", "已有同名角色")


class RightsTooLarge(Forbidden):
    """All grants of somebody's roles together are more than a request can carry."""

    code = "rights_too_large"
    title = Text("These roles grant too much at once", "这些角色的授权过多")
    advice = Text(
        "Have fewer roles, or roles with fewer grants and shorter conditions.", "请减少角色，或精简授权与条件。"
    )
