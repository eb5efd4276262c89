"""What can go wrong with an allowed origin besides its form."""

from crm_kit.errors import Conflict, Text


class TooManyOrigins(Conflict):
    code = "too_many_origins"
    title = Text("As many origins are allowed as can be", "允许的来源已达上限")
    advice = Text("Delete one that is not used any more.", "请删除不再使用的来源。")


class OriginTaken(Conflict):
    code = "origin_taken"
    title = Text("This origin is allowed already", "该来源已被允许")
    advice = Text("Nothing needs to be done.", "无需任何操作。")
