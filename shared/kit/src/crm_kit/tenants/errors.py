"""What an operator is told, in a sentence, and what clients are told meanwhile."""

from crm_kit.errors import Text, Unavailable


class TenantRefused(Exception):
    """The tenant is not in the state that was asked for, or what was given does not fit."""


class NotSettled(Exception):
    """Something of the tenant is still under way: the same command may succeed later."""


class TenantReadOnly(Unavailable):
    code = "tenant_read_only"
    title = Text("The tenant is read-only just now", "该租户当前为只读")
    advice = Text(
        "Its data is being moved. Read on, keep what you would write, and send it after Retry-After seconds with the same"
        " Idempotency-Key; the installation's operators know when it ends.",
        "该租户的数据正在迁移。可继续读取；请保留要写入的内容，在 Retry-After 秒后使用相同的 Idempotency-Key 重新发送；"
        "何时结束请咨询运维人员。",
    )


def tenant_read_only() -> TenantReadOnly:
    """What whoever would write is told."""
    detail = Text("Nothing was written; send it again later.", "未写入任何内容，请稍后重新发送。")
    return TenantReadOnly(detail, headers={"Retry-After": "60"})
