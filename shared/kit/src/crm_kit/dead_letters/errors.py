"""What can go wrong with dead letters besides the letters themselves."""

from crm_kit.errors import Conflict, Text


class ConsumerGone(Conflict):
    """Nothing in this release could apply the letter."""

    code = "consumer_gone"
    title = Text("The letter's consumer no longer exists", "死信所属的消费者已不存在")
    advice = Text("Discard the letter.", "请丢弃该死信。")
