"""What can go wrong with an identity provider besides its form."""

from crm_kit.errors import Conflict, Forbidden, Text


class AudienceTaken(Conflict):
    """A token must say by issuer and audience alone whose it is; `audience` names the one that is taken."""

    code = "audience_taken"
    title = Text("This issuer and audience are registered already", "该签发方与受众已被登记")
    advice = Text(
        "Register an application of your own at the provider, and give its client id as the audience.",
        "请在身份提供方登记自己的应用，并以其客户端标识作为受众。",
    )


class TooManyProviders(Conflict):
    code = "too_many_identity_providers"
    title = Text("There are as many identity providers as can be", "身份提供方已达上限")
    advice = Text("Delete one that is not used any more.", "请删除不再使用的身份提供方。")


class SignInScopeNotHeld(Forbidden):
    """Who registers a provider decides who may read, write and administer; `missing_permission` names what they lack."""

    code = "sign_in_scope_not_held"
    title = Text("A key cannot let others do what it may not", "密钥不能授予他人其自身没有的权限")
    advice = Text("Use a key with the scopes read, write and admin.", "请使用具备 read、write、admin 权限的密钥。")
