"""Lines over time as an SVG.

Written by hand: what there is to draw is a frame and some lines, and the plotting libraries that were looked at either
weigh more than the whole stack (matplotlib) or put a script into the picture that is loaded from elsewhere (pygal).
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 960, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 280, 36, 44
_POINTS = 200
_COLOURS = ("#2f7ed8", "#d9534f", "#2e9e5b", "#b8860b", "#8e5bd0", "#0f9aa8", "#d4577b", "#7a8793")
"""Of middling lightness: they stand out from white and from black."""
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333; } .title { font-weight: 600; }
.grid { stroke: #8884; stroke-width: 1; } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) { text { fill: #ccc; } }
"""


def plot(title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """`lines`: by their labels, of minutes and megabytes; each is thinned to 200 points."""
    across = max(minutes for line in lines.values() for minutes, _ in line) or 1.0
    step_x, step_y = _step(across), _step(max(size for line in lines.values() for _, size in line))
    upward = step_y * math.ceil(max(size for line in lines.values() for _, size in line) / step_y)

    def x(minutes: float) -> float:
        return _LEFT + minutes / across * (_WIDTH - _LEFT - _RIGHT)

    def y(size: float) -> float:
        return _HEIGHT - _BOTTOM - size / upward * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>',
    ]
    for number in range(round(upward / step_y) + 1):
        size = number * step_y
        parts.append(f'<path class="grid" d="M{_LEFT} {y(size):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(size) + 4:.1f}" text-anchor="end">{size:g}</text>')
    for number in range(int(across / step_x) + 1):
        minutes = number * step_x
        parts.append(f'<text x="{x(minutes):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{minutes:g}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">minutes</text>')
    parts.append(f'<text x="{_LEFT - 8}" y="{_TOP - 12}" text-anchor="end">MB</text>')
    for number, (label, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{x(minutes):.1f},{y(size):.1f}" for minutes, size in _thinned(line))
        parts.append(f'<polyline class="line" stroke="{colour}" points="{points}"/>')
        down = _TOP + 8 + number * 22
        parts.append(f'<path class="line" stroke="{colour}" d="M{_WIDTH - _RIGHT + 14} {down}h18"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 38}" y="{down + 4}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _step(most: float) -> float:
    """A round one that makes four to ten parts."""
    power = 10.0 ** math.floor(math.log10(most / 4))
    return max(power * factor for factor in (1, 2, 2.5, 5) if power * factor <= most / 4)


def _thinned(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The means of neighbours."""
    each = max(1, math.ceil(len(line) / _POINTS))
    groups = [line[start : start + each] for start in range(0, len(line), each)]
    return [(sum(p[0] for p in group) / len(group), sum(p[1] for p in group) / len(group)) for group in groups]
