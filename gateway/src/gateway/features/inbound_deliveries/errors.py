"""What can go wrong with inbound deliveries besides their form."""

from crm_kit.errors import Conflict, NotFound, Text, Unauthenticated


class NotParked(Conflict):
    """It is on its way, or nothing was wrong with it."""

    code = "delivery_running"
    title = Text("The delivery is being processed", "投递正在处理中")
    advice = Text("Wait until its status is done, ignored or parked.", "请等待其状态变为 done、ignored 或 parked。")


class PayloadGone(NotFound):
    """It is kept for a time only, and no longer than the person whom it tells of."""

    code = "payload_gone"
    title = Text("What was sent is not kept any more", "原始内容已不再保留")


class SignatureRefused(Unauthenticated):
    """Nothing more is said: whoever sends rightly knows how."""

    code = "signature_refused"
    title = Text("The delivery is not signed as it must be", "投递签名无效")
    advice = Text(
        "Compare the secret, what is signed and the sender's clock with the source.",
        "请核对密钥、签名内容与发送方时钟。",
    )
