"""Cuts a metric math expression, or a composite alarm's rule, into tokens."""

import re
from dataclasses import dataclass
from typing import Self

from lightship.drill.cloudwatch.errors import UnknownSemanticsError

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `kind` is number, text, name, sign or end."""

    kind: str
    value: str


class Tokens:
    """A cursor over the tokens of an expression. Raises UnknownSemanticsError where the expression can't be read."""

    def __init__(self, expression: str, tokens: list[Token]) -> None:
        self.expression = expression
        self._tokens = tokens
        self._place = 0

    @classmethod
    def of(cls, expression: str, token: re.Pattern[str] = _TOKEN) -> Self:
        tokens: list[Token] = []
        place, end = 0, len(expression.rstrip())
        while place < end:
            found = token.match(expression, place)
            if found is None or found.end() == place:
                raise UnknownSemanticsError(f"{expression!r} can't be read at {expression[place : place + 20]!r}.")
            tokens.append(Token(found.lastgroup or "", found[found.lastgroup or 0]))
            place = found.end()
        return cls(expression, [*tokens, Token("end", "")])

    @property
    def next(self) -> Token:
        return self._tokens[self._place]

    def take(self) -> Token:
        token = self.next
        self._place += 1
        return token

    def took(self, *values: str) -> str | None:
        """The next token's value, taken, if it is one of these signs or words."""
        if self.next.kind in {"sign", "name"} and self.next.value in values:
            return self.take().value
        return None

    def expect(self, value: str) -> None:
        if self.took(value) is None:
            raise self.unreadable()

    def unreadable(self) -> UnknownSemanticsError:
        return UnknownSemanticsError(f"{self.expression!r} can't be read at {self.next.value or 'its end'!r}.")
