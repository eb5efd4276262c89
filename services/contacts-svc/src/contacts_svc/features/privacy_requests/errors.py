"""What can go wrong with privacy requests."""

from crm_kit.errors import Conflict, NotFound, Text


class RequestRunning(Conflict):
    """The same is being done for the contact already; `request_id` says by which request."""

    code = "privacy_request_running"
    title = Text("The same is being done already", "相同的请求正在处理中")
    advice = Text("Follow the request named in request_id.", "请查看 request_id 所示的请求。")


class NotStoppable(Conflict):
    """An erasure that has begun is in part done."""

    code = "erasure_not_stoppable"
    title = Text("An erasure that has begun cannot be stopped", "已开始的删除无法停止")
    advice = Text("Wait for it to end.", "请等待其完成。")


class NoArchive(NotFound):
    """There is none: the request is no export, has not succeeded, or its archive has expired."""

    code = "no_archive"
    title = Text("There is no archive", "没有可下载的归档")


class NotRestricted(Conflict):
    """Only a restriction that holds can be lifted."""

    code = "not_restricted"
    title = Text("There is no restriction to lift", "没有可解除的限制")
