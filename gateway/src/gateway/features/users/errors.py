"""What can go wrong with users besides their form."""

from crm_kit.errors import Conflict, Text


class UserEmailTaken(Conflict):
    """Another user has this address; `user_id` names them."""

    code = "user_email_taken"
    title = Text("Another user has this e-mail address", "该邮箱已属于另一个用户")


class UserExternalIdTaken(Conflict):
    """Another user has this external id; `user_id` names them."""

    code = "user_external_id_taken"
    title = Text("Another user has this external id", "该外部标识已属于另一个用户")
