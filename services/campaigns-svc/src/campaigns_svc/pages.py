"""The page behind the unsubscribe link: whole in itself, so that it shows without any other file."""

from typing import Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe · 退订</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; color: #222; background: #fff;
  max-width: 32rem; margin: 15vh auto; padding: 0 1.5rem; text-align: center }}
button {{ font: inherit; color: #fff; background: #1f5fbf; border: 0; border-radius: .4rem; padding: .7rem 1.6rem }}
</style>
</head>
<body>
{body}
</body>
</html>
"""

# A link that is fetched must change nothing: scanners fetch every link of a mail. Hence the button.
ASK: Final = _FRAME.format(
    body="""<h1>Unsubscribe · 退订</h1>
<p>Do you want to stop receiving these messages?</p>
<p lang="zh-CN">您确定不再接收此类消息吗？</p>
<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe · <span lang="zh-CN">确认退订</span></button>
</form>"""
)

DONE: Final = _FRAME.format(
    body="""<h1>You have unsubscribed · 已退订</h1>
<p>You will not receive these messages any more. You may close this page.</p>
<p lang="zh-CN">您将不再收到此类消息，可以关闭本页面。</p>"""
)
