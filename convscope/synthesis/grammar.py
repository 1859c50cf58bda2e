"""The grammar of objective text: weighted sums of units and calls, read without a network.

    expression := sum | sum ".." sum "/" count
    sum        := ["+" | "-"] product (("+" | "-") product)*
    product    := factor (("*" | "/") factor)*
    factor     := number | "(" sum ")" | "-" factor | atom
    atom       := layer | layer ":" index [":" row "," column] | layer ":" (first "-" last | "*")
                | name "(" anything ")"

A word that looks like a number may be a layer's name too: `nn.Sequential` calls its layers 0, 1, 2.
Beside `*` or `/` it is a number, unless only numbers stand there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import overload

from convscope.core.text import is_whole_number
from convscope.errors import UnitError
from convscope.synthesis.tokens import Atom, Token, pointer, tokenize

MAX_LENGTH = 100_000
"""Characters of a text: a direction over 2,048 channels takes about 40,000."""

MAX_DEPTH = 40
"""Brackets within brackets; the parser calls itself once for each."""

MAX_COUNT = 1_000
"""Objectives of an interpolation."""

Combination = list[tuple[float, Atom]]
"""A weighted sum: the weight of each atom, brackets multiplied out."""


@dataclass(frozen=True)
class Series:
    """`count` steps from one weighted sum to another."""

    first: Combination
    last: Combination
    count: int


def read_expression(text: str, layer_names: Collection[str] = ()) -> Combination | Series:
    """What a text says; `layer_names` are recognized even where they hold signs or spaces.

    Raises:
        UnitError: the text does not follow the grammar; the message points at the character.
    """
    if len(text) > MAX_LENGTH:
        raise UnitError(
            f"An objective has at most {MAX_LENGTH} characters; {len(text)} were given."
        )
    return _Parser(text, tokenize(text, layer_names), layer_names).expression()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, tokens: list[Token], layer_names: Collection[str]) -> None:
        self.text = text
        self.tokens = tokens
        self.layer_names = layer_names
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def fail(self, sentence: str, token: Token | None = None) -> UnitError:
        return UnitError(sentence + pointer(self.text, (token or self.token).start))

    def accept(self, *symbols: str) -> str | None:
        """Step over one of these symbols, if it comes next."""
        if self.token.kind == "symbol" and self.token.text in symbols:
            self.position += 1
            return self.tokens[self.position - 1].text
        return None

    def expression(self) -> Combination | Series:
        first = self.objective()
        if not self.accept(".."):
            self.expect_end()
            return first
        count = self.cut_count()
        last = self.objective()
        self.expect_end()
        return Series(first, last, count)

    def cut_count(self) -> int:
        """Take "/ count" from the end of an interpolation."""
        slash, number = self.tokens[-3:-1]
        if (
            self.position > len(self.tokens) - 3
            or slash.text != "/"
            or not is_whole_number(number.text)
        ):
            raise self.fail(
                "An interpolation ends with how many pictures it has, as in a..b/5.",
                self.tokens[-1],
            )
        if not 1 <= int(number.text) <= MAX_COUNT:
            raise self.fail(f"An interpolation has 1 to {MAX_COUNT} pictures.", number)
        del self.tokens[-3:-1]
        return int(number.text)

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.fail(
                f"{self.token.text!r} does not follow from what is before it; a sign is missing."
                if self.token.kind != "symbol"
                else f"{self.token.text!r} is not expected here."
            )

    def objective(self) -> Combination:
        """A sum that is no number alone."""
        begin = self.token
        value = self.sum()
        if isinstance(value, float):
            raise self.fail(f"{value:g} is a number and not a unit or a layer.", begin)
        return value

    def sum(self) -> float | Combination:
        negative = self.accept("+", "-") == "-"
        total = self.product()
        if negative:
            total = _scaled(total, -1.0)
        while sign := self.accept("+", "-"):
            begin = self.token
            term = self.product()
            if isinstance(total, float) or isinstance(term, float):
                raise self.fail("A number cannot be added to an objective.", begin)
            total = total + _scaled(term, -1.0 if sign == "-" else 1.0)
        return total

    def product(self) -> float | Combination:
        value = self.factor()
        while sign := self.accept("*", "/"):
            begin = self.token
            other = self.factor(after_number=isinstance(value, float) and sign == "*")
            if sign == "/" and not isinstance(other, float):
                raise self.fail("An objective can be divided by a number only.", begin)
            if isinstance(value, float) and isinstance(other, float):
                value = value * other if sign == "*" else self.quotient(value, other, begin)
            elif isinstance(other, float):
                factor = other if sign == "*" else self.quotient(1.0, other, begin)
                value = _scaled(value, factor)
            elif isinstance(value, float):
                value = _scaled(other, value)
            else:
                raise self.fail("Two objectives cannot be multiplied.", begin)
        return value

    def quotient(self, above: float, below: float, token: Token) -> float:
        if below == 0:
            raise self.fail("An objective cannot be divided by 0.", token)
        return above / below

    def factor(self, after_number: bool = False) -> float | Combination:
        if self.accept("-"):
            return _scaled(self.nested(self.factor, after_number), -1.0)
        if self.accept("("):
            opened = self.tokens[self.position - 1]
            value = self.nested(self.sum)
            if not self.accept(")"):
                raise self.fail("This bracket is never closed.", opened)
            return value
        token = self.token
        if token.kind not in ("number", "atom") or token.atom is None:
            said = "the text ends" if token.kind == "end" else f"there is {token.text!r}"
            raise self.fail(f"A unit, a layer or a number is expected here, but {said}.")
        self.position += 1
        if token.kind == "atom" or self.is_layer(token, after_number):
            return [(1.0, token.atom)]
        return float(token.text)

    def nested(
        self, rule: Callable[..., float | Combination], *arguments: bool
    ) -> float | Combination:
        """A rule one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"Brackets and signs are at most {MAX_DEPTH} deep.")
        value = rule(*arguments)
        self.depth -= 1
        return value

    def is_layer(self, token: Token, after_number: bool) -> bool:
        """Whether a word that looks like a number is the layer of that name."""
        if token.text not in self.layer_names:
            return False
        before = self.tokens[self.position - 2].text if self.position > 1 else ""
        if after_number:
            return self.token.text != "*"
        return self.token.text not in ("*", "/") and before not in ("*", "/")


@overload
def _scaled(value: float, factor: float) -> float: ...
@overload
def _scaled(value: Combination, factor: float) -> Combination: ...
def _scaled(value: float | Combination, factor: float) -> float | Combination:
    if isinstance(value, float):
        return value * factor
    return [(weight * factor, atom) for weight, atom in value]
