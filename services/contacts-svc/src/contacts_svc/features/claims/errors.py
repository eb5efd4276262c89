"""What can go wrong when a contact is claimed, or given back."""

from crm_kit.errors import Conflict, Forbidden, Text


class NotInPool(Conflict):
    """The contact is of no pool."""

    code = "not_in_pool"
    title = Text("The contact is in no pool", "该联系人不在公海中")
    advice = Text("Say which pool it is to go to: pool_id.", "请用 pool_id 指定要放入的公海。")


class AlreadyClaimed(Conflict):
    """Somebody has the contact."""

    code = "already_claimed"
    title = Text("Somebody has claimed the contact", "该联系人已被领取")
    advice = Text("Claim another.", "请领取其他联系人。")


class ClaimOfArchived(Conflict):
    """The contact is archived."""

    code = "claim_of_archived"
    title = Text("The contact is archived", "该联系人已归档")
    advice = Text("Restore it first: POST /v1/contacts/{id}/restore.", "请先恢复：POST /v1/contacts/{id}/restore。")


class NotClaimed(Conflict):
    """Nobody has the contact."""

    code = "not_claimed"
    title = Text("Nobody has claimed the contact", "该联系人尚未被领取")


class ClaimLimitReached(Conflict):
    """The user has claimed as many within 24 hours as the pool allows; `again_at` says when one more can be."""

    code = "claim_limit_reached"
    title = Text("You have claimed as many as the pool allows in a day", "已达到该公海每日领取上限")
    advice = Text("Wait until again_at.", "请等到 again_at 之后再领取。")


class HoldLimitReached(Conflict):
    """The user has as many contacts of the pool as it allows; `held` says how many."""

    code = "hold_limit_reached"
    title = Text("You have as many contacts of this pool as it allows", "持有该公海的联系人已达上限")
    advice = Text(
        "Release one first: POST /v1/contacts/{id}/release.", "请先释放一个联系人：POST /v1/contacts/{id}/release。"
    )


class ClaimedLately(Conflict):
    """The user had the contact until lately; `again_at` says from when on they can claim it."""

    code = "claimed_lately"
    title = Text("You had this contact until lately", "您不久前曾持有该联系人")
    advice = Text("Until again_at it is there for others.", "在 again_at 之前，仅供他人领取。")


class PoolOfOthers(Forbidden):
    """The pool is for other teams than those of the user."""

    code = "pool_of_others"
    title = Text("This pool is for other teams", "该公海仅供其他团队使用")
    advice = Text("Claim from a pool of your teams: GET /v1/pools.", "请从所在团队的公海中领取：GET /v1/pools。")
