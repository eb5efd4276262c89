"""The language of templates: a part of Jinja that always ends, soon, and can reach nothing but what it is given.

Jinja's sandbox limits neither time nor memory ('a' * 99999999 runs), so the syntax itself is allow-listed: no loops, no
calls, no arithmetic, no assignment, no inclusion. What is left costs at most its own length times the longest value,
and rendering stops at MAX_OUTPUT.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from crm_kit.errors import Text
from jinja2 import ChainableUndefined, TemplateSyntaxError, nodes
from jinja2 import Template as CompiledTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT: Final = 200_000
"""Characters that a rendered template may have."""

_MAX_NODES = 5_000
_MAX_DEPTH = 30
_MAX_TRUNCATE = 10_000

VALUES: Final[Mapping[str, frozenset[str] | None]] = {
    "contact": frozenset(
        {"id", "first_name", "last_name", "full_name", "title", "language", "lifecycle_stage", "email", "custom"}
    ),
    "account": frozenset({"id", "name", "domain", "industry", "custom"}),
    "campaign": frozenset({"id", "name"}),
    "unsubscribe_url": None,
}
"""What a template may show, and the members of each; `custom` has any members."""

FILTERS: Final = frozenset({"default", "d", "upper", "lower", "title", "capitalize", "trim", "truncate", "escape", "e"})
_TESTS = frozenset({"defined", "undefined", "none"})
_SHAPES = (nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Operand)


class TemplateFault(ValueError):
    """The source breaks a rule at `line`."""

    def __init__(self, line: int, detail: Text) -> None:
        super().__init__(detail.en)
        self.line = line
        self.detail = Text(f"Line {line}: {detail.en}", f"第 {line} 行：{detail.zh}")


class RenderingFailed(ValueError):
    """These values cannot be put into this template: two kinds of value are compared, or the text grows too long."""


class _Missing(ChainableUndefined):
    """A value that is not there: prints as nothing, equals nothing, is neither greater nor less than anything."""

    def _never(self, _other: object) -> bool:
        return False

    def __ne__(self, _other: object) -> bool:
        return True

    __eq__ = _never
    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]  # Undefined declares that these raise
    __hash__ = ChainableUndefined.__hash__


class _Environment(ImmutableSandboxedEnvironment):
    """Reaches into mappings and lists only, never into Python objects."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj and obj[argument] is not None:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and 0 <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=argument)


def _shown(value: Any) -> Any:
    """Lists and truth values as a reader expects them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(_shown(element)) for element in value)
    return value


def _environment(*, html: bool) -> _Environment:
    environment = _Environment(undefined=_Missing, autoescape=html, finalize=_shown, keep_trailing_newline=True)
    environment.globals.clear()
    environment.policies["truncate.leeway"] = 0  # a length is a length
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    return environment


_TEXT = _environment(html=False)
_HTML = _environment(html=True)


def check(source: str) -> None:
    """Raises TemplateFault where the source is not Jinja, or not of the part of it that is allowed."""
    try:
        tree = _TEXT.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateFault(error.lineno, Text(str(error.message), f"语法错误：{error.message}")) from error
    except RecursionError:
        raise TemplateFault(1, _TOO_DEEP) from None
    for count, (node, depth) in enumerate(_walk(tree)):
        if count > _MAX_NODES:
            raise TemplateFault(_line(node), Text("The template has too many parts", "模板过于复杂"))
        if depth > _MAX_DEPTH:
            raise TemplateFault(_line(node), _TOO_DEEP)
        _check_node(node)


_TOO_DEEP = Text("The template is nested too deeply", "模板嵌套过深")


def _walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, int]]:
    """Without recursion: the depth of the source is not known yet. The root of a path is not walked into."""
    pending = [(node, 1) for node in reversed(tree.body)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        if not isinstance(node, nodes.Getattr | nodes.Getitem):
            pending += [(child, depth + 1) for child in reversed(list(node.iter_child_nodes()))]


def _check_node(node: nodes.Node) -> None:
    for kind, checked in _CHECKS:
        if isinstance(node, kind):
            checked(node)
            return
    if not isinstance(node, _SHAPES):
        name = type(node).__name__.lower()
        raise _fault(node, f"{name!r} is not available in templates", f"模板不支持 {name!r}")


def _check_path(node: nodes.Expr) -> None:
    """A path starts at a declared root and names declared members; below `custom` everything goes."""
    steps: list[str | int] = []
    at: nodes.Node = node
    while isinstance(at, nodes.Getattr | nodes.Getitem):
        if len(steps) > 4:
            raise _fault(node, "The path is too long", "路径过长")
        steps.append(_step(at))
        at = at.node
    if not isinstance(at, nodes.Name) or at.ctx != "load":
        raise _fault(
            node, "A path starts with contact, account or campaign", "路径必须以 contact、account 或 campaign 开头"
        )
    if at.name not in VALUES:
        known = ", ".join(VALUES)
        raise _fault(at, f"{at.name!r} is not known; there are {known}", f"未知的 {at.name!r}；可用：{known}")
    steps.reverse()
    members = VALUES[at.name]
    if members is None and steps:
        raise _fault(node, f"{at.name} has no members", f"{at.name} 没有成员")
    if members is None:
        return
    known = ", ".join(sorted(members))
    if not steps or steps[0] not in members:
        wanted = f"{at.name}.{steps[0]}" if steps else at.name
        raise _fault(
            node, f"{wanted!r} cannot be shown; {at.name} has {known}", f"无法显示 {wanted!r}；{at.name} 有 {known}"
        )
    if steps[0] == "custom" and len(steps) == 1:
        raise _fault(
            node, "Name one custom field, as contact.custom.size", "请指定一个自定义字段，例如 contact.custom.size"
        )
    if steps[0] != "custom" and len(steps) > 1:
        raise _fault(node, f"{at.name}.{steps[0]} has no members", f"{at.name}.{steps[0]} 没有成员")


def _step(node: nodes.Getattr | nodes.Getitem) -> str | int:
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg
    if not isinstance(argument, nodes.Const) or type(argument.value) not in (str, int):
        raise _fault(node, "What stands in brackets must be a constant", "方括号内必须是常量")
    _check_constant(argument)
    step: str | int = argument.value
    return step


def _check_constant(node: nodes.Const) -> None:
    value = node.value
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str) and len(value) <= 500:
        return
    if isinstance(value, int | float) and abs(value) < 10**15:
        return
    raise _fault(node, "The constant is too large", "常量过大")


def _check_filter(node: nodes.Filter) -> None:
    if node.name not in FILTERS:
        known = ", ".join(sorted(FILTERS))
        raise _fault(
            node,
            f"The filter {node.name!r} is not available; there are {known}",
            f"不支持过滤器 {node.name!r}；可用：{known}",
        )
    arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
    if node.node is None or node.dyn_args or node.dyn_kwargs or not all(isinstance(a, nodes.Const) for a in arguments):
        raise _fault(node, "The arguments of a filter must be constants", "过滤器的参数必须是常量")
    if node.name == "truncate":
        if node.kwargs or not 1 <= len(node.args) <= 2:
            raise _fault(
                node,
                "Write truncate(length) or truncate(length, true)",
                "请使用 truncate(长度) 或 truncate(长度, true)",
            )
        length = node.args[0]
        assert isinstance(length, nodes.Const)
        if type(length.value) is not int or not 3 <= length.value <= _MAX_TRUNCATE:
            raise _fault(
                node, f"truncate takes a length from 3 to {_MAX_TRUNCATE}", f"truncate 的长度为 3 至 {_MAX_TRUNCATE}"
            )
    elif node.name in ("default", "d"):
        if node.kwargs or not 1 <= len(node.args) <= 2:
            raise _fault(
                node,
                "Write default('text') or default('text', true)",
                "请使用 default('文本') 或 default('文本', true)",
            )
    elif arguments:
        raise _fault(node, f"{node.name} takes no arguments", f"{node.name} 不接受参数")


def _check_comparison(node: nodes.Compare) -> None:
    if len(node.ops) != 1:
        raise _fault(node, "Compare two values at a time", "一次只能比较两个值")
    operand = node.ops[0]
    if operand.op in ("in", "notin") and not isinstance(operand.expr, nodes.List | nodes.Tuple):
        raise _fault(node, "What follows `in` must be a list of constants", "in 之后必须是常量列表")


def _check_test(node: nodes.Test) -> None:
    if node.name not in _TESTS or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise _fault(node, f"The test {node.name!r} is not available", f"不支持测试 {node.name!r}")


def _check_list(node: nodes.List | nodes.Tuple) -> None:
    if not all(isinstance(item, nodes.Const) for item in node.items):
        raise _fault(node, "A list may hold constants only", "列表只能包含常量")


def _check_keyword(node: nodes.Keyword) -> None:
    if not isinstance(node.value, nodes.Const):
        raise _fault(node, "An argument must be a constant", "参数必须是常量")


_CHECKS: Final[tuple[tuple[Any, Callable[[Any], None]], ...]] = (
    ((nodes.Name, nodes.Getattr, nodes.Getitem), _check_path),
    (nodes.Const, _check_constant),
    (nodes.Filter, _check_filter),
    (nodes.Test, _check_test),
    ((nodes.List, nodes.Tuple), _check_list),
    (nodes.Keyword, _check_keyword),
    (nodes.Compare, _check_comparison),
)


def _fault(node: nodes.Node, english: str, chinese: str) -> TemplateFault:
    return TemplateFault(_line(node), Text(english, chinese))


def _line(node: nodes.Node) -> int:
    """Some nodes that Jinja makes itself have no line; what is in them has."""
    at: nodes.Node | None = node
    while at is not None:
        if (line := getattr(at, "lineno", None)) is not None:
            return int(line)
        at = next(at.iter_child_nodes(), None)
    return 1


@dataclass(frozen=True, slots=True)
class Source:
    """The three sources of a message; an e-mail has a subject."""

    subject: str | None
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str | None
    text: str
    html: str | None


def render(source: Source, values: Mapping[str, object]) -> Rendered:
    """Fills a source that was checked. Raises RenderingFailed."""
    return Rendered(
        None if source.subject is None else one_line(_fill(source.subject, values, html=False)),
        _fill(source.text, values, html=False),
        None if source.html is None else _fill(source.html, values, html=True),
    )


def one_line(text: str) -> str:
    """A header's value: line breaks of every kind, and other control characters, become single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]


@lru_cache(maxsize=256)
def _compiled(source: str, *, html: bool) -> CompiledTemplate:
    return (_HTML if html else _TEXT).from_string(source)


def _fill(source: str, values: Mapping[str, object], *, html: bool) -> str:
    parts: list[str] = []
    size = 0
    try:
        for part in _compiled(source, html=html).generate(values):
            size += len(part)
            if size > MAX_OUTPUT:
                raise RenderingFailed(f"more than {MAX_OUTPUT} characters")
            parts.append(part)
    except (TypeError, ValueError, RecursionError, MemoryError, SyntaxError) as error:
        raise RenderingFailed(str(error)) from error
    return "".join(parts)
