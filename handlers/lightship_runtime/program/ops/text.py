"""Texts to counts of tokens, by scikit-learn's rules for tokens and their n-grams.

Parameters of both operations: `analyzer` ("word", "char" or "char_wb"), `lowercase`, `accents` ("", "ascii" or
"unicode": how they are stripped), `pattern` (what a word is), `stop_words`, `ngrams` (shortest and longest), `binary`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from lightship_runtime.engine import Distinct, RefusedRowsError
from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Raw, Sparse, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.values import plain

type Tokens = Callable[[str], list[str]]
type Row = tuple[list[int], list[float]]

_SPACES = re.compile(r"\s\s+")
_REMEMBERED = 1 << 16


def _tokens(node: Node) -> Tokens:
    """The analyzer: one text to its tokens."""
    prepare = _prepare(node)
    ngrams = node.positions("ngrams", 1 << 16)
    if len(ngrams) != 2 or not 1 <= ngrams[0] <= ngrams[1]:
        raise InvalidProgramError(f"its n-grams range over {ngrams}")
    least, most = ngrams
    match node.param("analyzer", str):
        case "word":
            try:
                words = re.compile(node.param("pattern", str)).findall
            except re.error as error:
                raise InvalidProgramError(f"its token pattern is no regular expression ({error})") from error
            stops = frozenset(node.param("stop_words", list))
            return lambda text: _word_ngrams([word for word in words(prepare(text)) if word not in stops], least, most)
        case "char":
            return lambda text: _slices(_SPACES.sub(" ", prepare(text)), least, most)
        case "char_wb":
            return lambda text: _padded_slices(_SPACES.sub(" ", prepare(text)), least, most)
        case other:
            raise InvalidProgramError(f"it has the unknown analyzer {other!r}")


def _prepare(node: Node) -> Callable[[str], str]:
    lowercase, accents = node.param("lowercase", bool), node.param("accents", str)
    if accents not in {"", "ascii", "unicode"}:
        raise InvalidProgramError(f"it strips accents in the unknown way {accents!r}")

    def prepare(text: str) -> str:
        if lowercase:
            text = text.lower()
        if accents == "ascii":
            return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
        if accents == "unicode" and not text.isascii():
            return "".join([c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)])
        return text

    return prepare


def _word_ngrams(words: list[str], least: int, most: int) -> list[str]:
    if most == 1:
        return words
    join = " ".join
    return [join(words[i : i + n]) for n in range(least, min(most, len(words)) + 1) for i in range(len(words) - n + 1)]


def _slices(text: str, least: int, most: int) -> list[str]:
    return [text[i : i + n] for n in range(least, min(most, len(text)) + 1) for i in range(len(text) - n + 1)]


def _padded_slices(text: str, least: int, most: int) -> list[str]:
    """Of every word between two spaces; a word shorter than n counts once, whole."""
    found = []
    for word in text.split():
        padded = f" {word} "
        for n in range(least, most + 1):
            found += [padded[i : i + n] for i in range(max(len(padded) - n, 0) + 1)]
            if n >= len(padded):
                break
    return found


def _count(node: Node) -> Callable[[Any], Row]:
    """How often each term of `vocabulary` occurs; `binary`: whether."""
    tokens = _tokens(node)
    vocabulary = node.param("vocabulary", list)
    if len(vocabulary) != node.width:
        raise InvalidProgramError(f"it has {len(vocabulary)} terms for {node.width} columns")
    place = {term: i for i, term in enumerate(vocabulary)}.get
    binary = node.param("binary", bool)

    def count(text: Any) -> Row:
        found = Counter([i for token in tokens(_document(text)) if (i := place(token)) is not None])
        columns = sorted(found)
        return columns, [1.0] * len(columns) if binary else [float(found[i]) for i in columns]

    return count


def _hash(node: Node) -> Callable[[Any], Row]:
    """The tokens' hashes modulo the width; `signed`: half of the tokens count downwards."""
    tokens = _tokens(node)
    width, signed, binary = node.width, node.param("signed", bool), node.param("binary", bool)

    @lru_cache(maxsize=_REMEMBERED)
    def place(token: str) -> tuple[int, float]:
        value = murmur3(token.encode())
        return abs(value) % width, 1.0 if value >= 0 or not signed else -1.0

    def count(text: Any) -> Row:
        sums: dict[int, float] = {}
        for token in tokens(_document(text)):
            column, sign = place(token)
            sums[column] = sums.get(column, 0.0) + sign
        columns = sorted(sums)
        return columns, [1.0] * len(columns) if binary else [sums[i] for i in columns]

    return count


def _document(text: Any) -> str:
    if not isinstance(text, str):
        raise RefusedRowsError(f"it reads texts, and was given {text!r}")
    return text


def murmur3(data: bytes) -> int:
    """MurmurHash3, the 32-bit variant with seed 0, as a signed integer (Appleby; public domain)."""
    state = 0
    end = len(data) & ~3
    for i in range(0, end, 4):
        state ^= _mixed(int.from_bytes(data[i : i + 4], "little"))
        state = ((state << 13 | state >> 19) * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= _mixed(int.from_bytes(data[end:], "little")) ^ len(data)
    state = ((state ^ state >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    state = ((state ^ state >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    state ^= state >> 16
    return state - (1 << 32) if state >> 31 else state


def _mixed(word: int) -> int:
    word = word * 0xCC9E2D51 & 0xFFFFFFFF
    return (word << 15 | word >> 17) * 0x1B873593 & 0xFFFFFFFF


def _pure(build: Callable[[Node], Callable[[Any], Row]]) -> Callable[[Node], Step]:
    def steps(node: Node) -> Step:
        """raw of one column -> sparse"""
        count = build(_checked(node))
        return lambda row: count(row[0])

    return steps


def _array(build: Callable[[Node], Callable[[Any], Row]]) -> Callable[[Node], Step]:
    def steps(node: Node) -> Step:
        count = build(_checked(node))

        def step(raw: Raw) -> Sparse:
            return _stacked(_rows(count, raw[0]), node.width)

        return step

    return steps


def _rows(count: Callable[[Any], Row], column: Any) -> list[Row]:
    distinct = column if isinstance(column, Distinct) else None
    texts = plain(column) if distinct is None else distinct.values
    found = [count(text) if isinstance(text, str) else None for text in texts]
    rows = found if distinct is None else [found[place] for place in distinct.places.tolist()]
    missing = [i for i, row in enumerate(rows) if row is None]
    if missing:
        raise RefusedRowsError(f"it reads texts, and was given {plain(column)[missing[0]]!r}", missing)
    return [row for row in rows if row is not None]


def _stacked(rows: Sequence[Row], width: int) -> Sparse:
    indptr = np.cumsum([0, *[len(columns) for columns, _ in rows]])
    indices = np.array([i for columns, _ in rows for i in columns], dtype=np.int64)
    return Sparse(indptr, indices, np.array([value for _, values in rows for value in values], dtype=np.float64), width)


def _checked(node: Node) -> Node:
    if node.inputs[0].kind != "raw" or node.inputs[0].width != 1 or node.kind != "sparse":
        raise InvalidProgramError(f"the operation {node.op!r} reads other than one column of texts")
    return node


OPERATIONS = {"count": Operation(_array(_count), _pure(_count)), "hash": Operation(_array(_hash), _pure(_hash))}
