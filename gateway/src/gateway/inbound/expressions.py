"""JMESPath, bounded: whoever writes a mapping may be anybody's user, and whoever sends a payload anybody. Pure.

An expression is short and shallow, and its evaluation has a budget: of steps, and of what its results would weigh if they
were written out. `[@, @] | [@, @] | …` doubles with each step and costs nothing until somebody compares or prints it.
"""

from functools import lru_cache
from typing import Any, Final

from jmespath import exceptions, visitor
from jmespath.parser import Parser

from gateway.inbound.functions import MappingFunctions

MAX_LENGTH: Final = 2_000
_MAX_DEPTH: Final = 40
_MAX_STEPS: Final = 500_000
_MAX_WEIGHT: Final = 200_000
_MAX_TEXT: Final = 100_000
_CHARACTERS_A_UNIT: Final = 64
_MAKING: Final = frozenset(
    {
        "multi_select_list",
        "multi_select_dict",
        "flatten",
        "projection",
        "filter_projection",
        "value_projection",
        "function_expression",
        "slice",
    }
)


class InvalidExpression(ValueError):
    """No JMESPath, or more than is accepted of it."""


class EvaluationFailed(ValueError):
    """It cannot be applied to this payload; the text names no value of that."""


class Expression:
    """Compiled. Raises InvalidExpression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = _parsed(text)

    def apply(self, payload: Any) -> Any:
        """Raises EvaluationFailed."""
        try:
            return _Bounded().visit(self._tree, payload)
        except exceptions.JMESPathTypeError as error:
            fault = (
                f"{error.function_name}() was given {error.actual_type}, and takes {', '.join(error.expected_types)}"
            )
            raise EvaluationFailed(fault) from error
        except (exceptions.JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, EvaluationFailed):
                raise
            raise EvaluationFailed(f"it does not fit the payload ({type(error).__name__})") from error


@lru_cache(maxsize=2_000)
def compiled(text: str) -> Expression:
    """Raises InvalidExpression."""
    return Expression(text)


def _parsed(text: str) -> Any:
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(f"an expression may have {MAX_LENGTH} characters")
    try:
        tree = Parser().parse(text).parsed
        depth = _depth(tree)
    except exceptions.JMESPathError as error:
        raise InvalidExpression(str(error).split("\n", 1)[0][:200]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidExpression("it cannot be read") from error
    if depth > _MAX_DEPTH:
        raise InvalidExpression(f"an expression may be {_MAX_DEPTH} deep")
    for name in _functions(tree):
        if name not in MappingFunctions.FUNCTION_TABLE:
            raise InvalidExpression(f"there is no function {name}()")
    return tree


def _children(node: Any) -> list[Any]:
    return [child for child in node.get("children", ()) if isinstance(child, dict)]


def _depth(node: Any) -> int:
    return 1 + max((_depth(child) for child in _children(node)), default=0)


def _functions(node: Any) -> list[str]:
    own = [node["value"]] if node["type"] == "function_expression" else []
    return own + [name for child in _children(node) for name in _functions(child)]


class _Bounded(visitor.TreeInterpreter):
    def __init__(self) -> None:
        super().__init__(visitor.Options(custom_functions=MappingFunctions()))
        self._steps = 0
        self._weights: dict[int, tuple[Any, int]] = {}
        """By identity; the value stays here, so that no other takes its place."""

    def visit(self, node: Any, *arguments: Any, **named: Any) -> Any:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise EvaluationFailed("it takes too many steps")
        result = super().visit(node, *arguments, **named)
        if isinstance(result, str):
            if len(result) > _MAX_TEXT:
                raise EvaluationFailed("it makes too long a text")
        elif node["type"] in _MAKING and isinstance(result, list | dict):
            self._weight(result)
        return result

    def _weight(self, value: Any) -> int:
        if isinstance(value, str):
            return 1 + len(value) // _CHARACTERS_A_UNIT
        if not isinstance(value, list | dict):
            return 1
        known = self._weights.get(id(value))
        if known is not None:
            return known[1]
        parts = value.values() if isinstance(value, dict) else value
        weight = 1
        for part in parts:
            weight += self._weight(part)
            if weight > _MAX_WEIGHT:
                raise EvaluationFailed("it makes too much of the payload")
        self._weights[id(value)] = (value, weight)
        return weight
