"""What can go wrong with a backfill besides its form, and why one can fail."""

from typing import Any

from crm_kit.errors import Conflict, NotFound, Problem, Text, UpstreamFailed


class NotPulled(Conflict):
    code = "pull_missing"
    title = Text("It is not said how this source is asked", "该来源未配置拉取方式")
    advice = Text(
        "Write `pull` of the source: where the shop is, and with what credentials.",
        "请设置来源的 pull：店铺地址与凭据。",
    )


class SourceInactive(Conflict):
    code = "source_inactive"
    title = Text("The inbound source is not active", "入站来源未启用")
    advice = Text("Set is_active of the source.", "请启用该来源。")


class SourceGone(NotFound):
    code = "source_gone"
    title = Text("The inbound source was deleted meanwhile", "入站来源已被删除")


class BackfillRunning(Conflict):
    """`backfill_id`: the one that is under way."""

    code = "backfill_running"
    title = Text("A backfill of this source is under way", "该来源的回填正在进行")
    advice = Text("Wait until it has ended, or cancel its job.", "请等待其结束，或取消其任务。")


class NotResumable(Conflict):
    code = "backfill_not_resumable"
    title = Text("Only a backfill that failed or was cancelled goes on", "仅失败或已取消的回填可以继续")
    advice = Text("Start another one.", "请另行发起回填。")


class ShopRefusedCredentials(UpstreamFailed):
    code = "shop_credentials_refused"
    title = Text("The shop does not take the credentials", "店铺拒绝了凭据")
    advice = Text(
        "They were revoked, or may not read this: write new ones into `pull` of the source, then resume the backfill.",
        "凭据已失效或权限不足：请在来源的 pull 中更新凭据，然后继续回填。",
    )


class ShopRefused(UpstreamFailed):
    """`shop_status`: what it answered."""

    code = "shop_refused"
    title = Text("The shop answers in a way after which nothing more can be asked", "店铺的响应表明无法继续拉取")
    advice = Text(
        "Look at shop_status: 404 and 3xx mean another address, 402 and 423 a shop that is closed. Then resume the backfill.",
        "请查看 shop_status：404 与 3xx 表示地址有误，402 与 423 表示店铺已关闭。处理后继续回填。",
    )


class ShopUnavailable(UpstreamFailed):
    """`reason`: the last of what it came to."""

    code = "shop_unavailable"
    title = Text("The shop did not answer as it should, again and again", "店铺多次未能正常响应")
    advice = Text(
        "Look at reason, and whether the shop is reachable; then resume the backfill: it goes on where it stood.",
        "请查看 reason 并确认店铺可访问，然后继续回填：它会从中断处继续。",
    )


def problem_of(error: dict[str, Any]) -> Problem:
    """From what was written down of the failure."""
    match error["code"]:
        case "pull_missing":
            return NotPulled()
        case "source_inactive":
            return SourceInactive()
        case "source_gone":
            return SourceGone()
        case "credentials_refused":
            return ShopRefusedCredentials(members={"shop_status": error["status"]})
        case "refused":
            return ShopRefused(members={"shop_status": error["status"]})
        case _:
            return ShopUnavailable(members={"reason": error["reason"]})
