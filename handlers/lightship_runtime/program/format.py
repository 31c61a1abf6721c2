"""Reads a program: checks every length, offset and reference, maps the arrays, executes nothing.

Standard library only. The writer is `lightship.compile`; `docs/program-format.md` describes both files.
"""

import mmap
import sys
from collections.abc import Mapping, Sequence
from math import prod
from os import PathLike
from os.path import join
from typing import Any, Literal, NamedTuple

from lightship_runtime.documents import Json, load_document
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.program.numerics import Array, np

SCHEMA = 1
GRAPH = "program.json"
BINARY = "program.bin"
MAGIC = b"lightship program arrays 1\n"
ALIGNMENT = 64
ITEM_SIZES = {"d": 8, "f": 4, "q": 8, "i": 4, "h": 2, "B": 1}
"""The array formats: `struct` and `memoryview` codes, little-endian, with the bytes an item takes."""
MAXIMUM_ITEMS = 1 << 31

type Kind = Literal["raw", "dense", "sparse"]
KINDS = ("raw", "dense", "sparse")


class InvalidProgramError(InvalidDocumentError):
    """`program.json` or `program.bin` is not what the format says."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The compiled model can't be used: {problem}. Package the model again.")


class Block(NamedTuple):
    """One array of the binary file, still in the mapped pages."""

    view: "memoryview[Any]"
    shape: tuple[int, ...]

    def numpy(self) -> Array:
        """A read-only NumPy view, of `shape`."""
        return np.frombuffer(self.view, dtype=np.dtype(f"<{_NUMPY_CODES[self.view.format]}")).reshape(self.shape)

    def items(self) -> list[Any]:
        """All items as Python numbers, in row-major order."""
        return self.view.tolist()

    def rows(self) -> list[list[Any]]:
        """A two-dimensional array as a list of lists."""
        count, width = self.shape
        return [self.view[i * width : (i + 1) * width].tolist() for i in range(count)]


_NUMPY_CODES = {"d": "f8", "f": "f4", "q": "i8", "i": "i4", "h": "i2", "B": "u1"}


class Node(NamedTuple):
    """One operation: what it reads, its parameters and arrays, and the kind and width of what it gives."""

    op: str
    inputs: tuple["Node", ...]
    kind: Kind
    width: int
    params: Mapping[str, Json]
    blocks: Mapping[str, Block]
    position: int

    def block(self, name: str, *, formats: str = "df", shape: tuple[int | None, ...] | None = None) -> Block:
        """The array called `name`; raises InvalidProgramError when its format or shape is another."""
        found = self.blocks.get(name)
        if found is None:
            raise InvalidProgramError(f"the operation {self.op!r} has no array {name!r}")
        fits = shape is None or (
            len(shape) == len(found.shape)
            and all(want is None or want == got for want, got in zip(shape, found.shape, strict=True))
        )
        if found.view.format not in formats or not fits:
            raise InvalidProgramError(
                f"the array {name!r} of {self.op!r} has the format {found.view.format!r} and the shape {found.shape}"
            )
        return found

    def param[T](self, name: str, expected: type[T], default: T | None = None) -> T:
        """The parameter called `name`; an integer is accepted where a float is expected."""
        found = self.params.get(name, default)
        if expected is float and type(found) is int:
            found = float(found)
        if not isinstance(found, expected):
            raise InvalidProgramError(f"the parameter {name!r} of the operation {self.op!r} is {found!r}")
        return found

    def positions(self, name: str, below: int) -> list[int]:
        """A list parameter of integers, each in 0 .. below-1."""
        found = self.param(name, list)
        if not all(type(item) is int and 0 <= item < below for item in found):
            raise InvalidProgramError(f"the parameter {name!r} of the operation {self.op!r} points outside its input")
        return found


class Program(NamedTuple):
    """A checked program. `nodes[0]` stands for the input columns; `outputs` names the nodes a caller reads."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, Node]


def open_program(folder: str | PathLike[str]) -> Program:
    """Read `program.json` and map `program.bin`. Raises InvalidProgramError or UnknownSchemaError."""
    if sys.byteorder != "little":
        raise InvalidProgramError("this machine is big-endian, and the arrays are little-endian")
    try:
        with open(join(folder, GRAPH), "rb") as file:
            text = file.read()
        with open(join(folder, BINARY), "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise InvalidProgramError(f"its files can't be read ({error})") from error
    document = load_document(text, what="The compiled model", schema=SCHEMA)
    try:
        return _program(document, mapped)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise InvalidProgramError(f"{GRAPH} lacks or misuses a key ({error!r})") from error


def _program(document: Mapping[str, Json], mapped: memoryview) -> Program:
    if mapped[: len(MAGIC)] != MAGIC or len(mapped) != document["bytes"]:
        raise InvalidProgramError(f"{BINARY} has {len(mapped)} bytes, or another beginning, than {GRAPH} says")
    blocks = [_block(entry, mapped) for entry in document["arrays"]]
    nodes: list[Node] = []
    for entry in document["nodes"]:
        nodes.append(_node(entry, nodes, blocks))
    if not nodes or nodes[0].op != "columns.inputs":
        raise InvalidProgramError("the first operation isn't columns.inputs")
    outputs = {str(name): nodes[_index(position, len(nodes))] for name, position in document["outputs"].items()}
    return Program(tuple(nodes), outputs)


def _block(entry: Mapping[str, Json], mapped: memoryview) -> Block:
    code, offset, shape = entry["format"], entry["offset"], tuple(entry["shape"])
    if code not in ITEM_SIZES or not all(type(n) is int and 0 <= n < MAXIMUM_ITEMS for n in (offset, *shape)):
        raise InvalidProgramError(f"an array has format {code!r}, offset {offset!r} and shape {shape!r}")
    end = offset + prod(shape) * ITEM_SIZES[code]
    if offset % ALIGNMENT or end > len(mapped):
        raise InvalidProgramError(f"an array at {offset} to {end} isn't inside the {len(mapped)} bytes of {BINARY}")
    return Block(mapped[offset:end].cast(code), shape)


def _node(entry: Mapping[str, Json], nodes: Sequence[Node], blocks: Sequence[Block]) -> Node:
    op, kind, width = entry["op"], entry["kind"], entry["width"]
    if not isinstance(op, str) or kind not in KINDS or type(width) is not int or not 0 <= width < MAXIMUM_ITEMS:
        raise InvalidProgramError(f"the operation {op!r} gives {kind!r} of width {width!r}")
    return Node(
        op=op,
        inputs=tuple(nodes[_index(position, len(nodes))] for position in entry["inputs"]),
        kind=kind,
        width=width,
        params=dict(entry.get("params", {})),
        blocks={name: blocks[_index(at, len(blocks))] for name, at in entry.get("arrays", {}).items()},
        position=len(nodes),
    )


def _index(position: object, length: int) -> int:
    """A reference backwards: so the graph has no cycles."""
    if type(position) is not int or not 0 <= position < length:
        raise InvalidProgramError(f"the reference {position!r} points outside 0 to {length - 1}")
    return position
