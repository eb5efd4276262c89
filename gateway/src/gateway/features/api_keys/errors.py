"""What can go wrong with API keys besides their form."""

from crm_kit.errors import Conflict, Forbidden, Text


class LastAdminKey(Conflict):
    """Nobody could manage the tenant's keys any more."""

    code = "last_admin_key"
    title = Text("This is the last key that may manage keys", "这是最后一个可管理密钥的密钥")
    advice = Text(
        "Create another key with the scope admin that does not expire, then delete this one.",
        "请先创建另一个具有 admin 权限且不过期的密钥，再删除此密钥。",
    )


class ScopeNotHeld(Forbidden):
    """A key may give only what it has; `missing_permission` names what it lacks."""

    code = "scope_not_held"
    title = Text("A key cannot grant a scope that it lacks", "密钥不能授予其自身没有的权限")
    advice = Text(
        "Use a key that has every scope that the new one is to have.", "请使用具备新密钥全部权限的密钥进行操作。"
    )


class NoRotation(Conflict):
    """A session of support staff ends when it was said to end."""

    code = "support_session"
    title = Text("A session of support staff is not renewed", "支持会话不可续期")
