"""What can go wrong with an inbound source besides its form."""

from crm_kit.errors import Conflict, Forbidden, Text


class SystemTaken(Conflict):
    """Two sources of one system would take each other's ids for their own."""

    code = "system_taken"
    title = Text("Another inbound source stands for this system", "该系统已有入站来源")
    advice = Text("Give it a system of its own, such as shop_eu.", "请为其指定不同的 system，例如 shop_eu。")


class TooManySources(Conflict):
    code = "too_many_inbound_sources"
    title = Text("There are as many inbound sources as can be", "入站来源已达上限")
    advice = Text("Delete one that is not used any more.", "请删除不再使用的来源。")


class SourceScopeNotHeld(Forbidden):
    """What a source sends is written with every right; who sets it up decides what that is. `missing_permission` names what
    they lack.
    """

    code = "source_scope_not_held"
    title = Text("A key cannot let a source do what it may not", "密钥不能授予来源其自身没有的权限")
    advice = Text("Use a key with the scopes read and write of everything.", "请使用具备全部 read、write 权限的密钥。")
