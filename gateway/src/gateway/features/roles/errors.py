"""What can go wrong with roles besides their form."""

from crm_kit.errors import Conflict, Text


class RoleInUse(Conflict):
    """Users or keys have it."""

    code = "role_in_use"
    title = Text("The role is in use", "该角色正在使用中")
    advice = Text("Take it from those users and keys first.", "请先从相关用户和密钥中移除该角色。")


class RoleNameTaken(Conflict):
    """Another role has this name; `role_id` names it."""

    code = "role_name_taken"
    title = Text("Another role has this name", "已有同名角色")
