"""What can go wrong with a webhook endpoint besides its form."""

from crm_kit.errors import Conflict, Text


class TooManyEndpoints(Conflict):
    code = "too_many_webhook_endpoints"
    title = Text("There are as many webhook endpoints as can be", "Webhook 端点已达上限")
    advice = Text("Delete one that is not used any more.", "请删除不再使用的端点。")


class NotPushed(Conflict):
    """An endpoint whose events are fetched has no requests that could be tried or repeated."""

    code = "webhook_not_pushed"
    title = Text("This endpoint's events are fetched, not pushed", "该端点的事件由客户端拉取，不会推送")
    advice = Text("Set `transport` to push and give a `url`.", "请将 transport 设为 push 并提供 url。")
