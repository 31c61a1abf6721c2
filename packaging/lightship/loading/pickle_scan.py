"""Follow a pickle without running it: what it would import, and which scikit-learn wrote it.

A pickle is a program for a stack machine. This one walks its opcodes with inert stand-ins: numbers, strings and
tuples are themselves, an imported name is a `Global`, whatever would be called or constructed is a `Made`. That is
enough to see names that only come together on the stack (STACK_GLOBAL through the memo), and to step over the raw
arrays that joblib writes between opcodes.
"""

import io
import pickletools
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from lightship.loading.array_wrapper import ARRAY_WRAPPER, Made, raw_bytes
from lightship.loading.errors import CorruptModelError

_VERSION_KEY: Final = "_sklearn_version"
_MAX_NESTING: Final = 20
_MARK: Final = object()
_ITEMS: Final = object()
"""Stands for the contents of a list or a set, of which nothing needs to be known."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class PickleScan:
    """`imports` in the order met; `outside` says what the pickle computes or takes from beyond the file;
    `sklearn_versions` are those recorded by scikit-learn's own estimators; `arrays` counts joblib's raw arrays."""

    imports: list[Global] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sklearn_versions: list[str] = field(default_factory=list)
    arrays: int = 0


def scan_pickle(data: bytes, file: str) -> PickleScan:
    """Scan every pickle in `data`, already decompressed. Raises CorruptModelError when it can't be followed."""
    scan = PickleScan()
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        start = stream.tell()
        try:
            _Machine(stream, scan).run()
        except (ArithmeticError, EOFError, LookupError, RecursionError, TypeError, ValueError) as error:
            what = "is a damaged or truncated pickle" if start == 0 else "goes on after its pickle with other bytes"
            raise CorruptModelError(
                f"{file} {what}: byte {stream.tell():,} of {len(data):,} ({error or type(error).__name__}). "
                "Save the model again."
            ) from error
    return scan


def canonical(module: str, name: str, protocol: int) -> Global:
    """The Python 3 name of what a pickle of `protocol` asks for (protocols below 3 use Python 2's names)."""
    if protocol < 3:
        if (module, name) in NAME_MAPPING:
            module, name = NAME_MAPPING[module, name]
        else:
            module = IMPORT_MAPPING.get(module, module)
    return Global(module, name)


class _Machine:
    """Runs one pickle symbolically, from the stream's position to its STOP."""

    def __init__(self, stream: io.BytesIO, scan: PickleScan, depth: int = 0) -> None:
        self.stream = stream
        self.scan = scan
        self.depth = depth
        self.protocol = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> None:
        # `genops` reads exactly one opcode at a time, so the stream may be moved on between two of them.
        with warnings.catch_warnings():
            # Old protocols hold strings as Python source, and a damaged one warns of its escapes.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", SyntaxWarning)
            for opcode, argument, _ in pickletools.genops(self.stream):
                _STEPS[opcode.name](self, argument)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def take(self, count: int) -> list[Any]:
        """Pop the `count` topmost values, none of which may be a mark."""
        taken = self.stack[-count:]
        if len(taken) < count or any(value is _MARK for value in taken):
            raise ValueError("the stack runs out")
        del self.stack[-count:]
        return taken

    def to_mark(self) -> list[Any]:
        """Pop everything above the topmost mark, and the mark."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                taken = self.stack[index + 1 :]
                del self.stack[index:]
                return taken
        raise ValueError("a mark is missing")

    def protocol_is(self, protocol: int) -> None:
        self.protocol = protocol

    def remember(self, key: int | None) -> None:
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    def named(self, module: Any, name: Any) -> Any:
        if not (isinstance(module, str) and isinstance(name, str)):
            return self.from_outside("a name that is computed while loading")
        found = canonical(module, name, self.protocol)
        if found not in self.scan.imports:
            self.scan.imports.append(found)
        return found

    def from_outside(self, what: str) -> Made:
        if what not in self.scan.outside:
            self.scan.outside.append(what)
        return Made(None, ())

    def persistent(self, argument: Any) -> None:
        if argument is None:
            self.take(1)
        self.push(self.from_outside("a persistent id"))

    def make(self, maker: Any, arguments: list[Any]) -> None:
        self.push(Made(maker, tuple(arguments)))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if len(items) % 2:
            raise ValueError("a dictionary has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):
                continue
            if key == _VERSION_KEY and isinstance(value, str):
                self.scan.sklearn_versions.append(value)
            if isinstance(target, dict):
                target[key] = value

    def build(self, state: Any) -> None:
        made = self.stack[-1]
        if not isinstance(made, Made):
            return
        made.state = state
        if made.maker == Global(*ARRAY_WRAPPER) and isinstance(state, dict):
            self.scan.arrays += 1
            self.skip_array(state)

    def skip_array(self, wrapper: dict[str, Any]) -> None:
        """Move past the array that joblib wrote raw, or as a pickle of its own, after its wrapper."""
        size = raw_bytes(wrapper)
        if size is None:
            if self.depth >= _MAX_NESTING:
                raise ValueError("arrays of objects are nested too deeply")
            _Machine(self.stream, self.scan, self.depth + 1).run()
            return
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self.skip(self.stream.read(1)[0])
        self.skip(size)

    def skip(self, count: int) -> None:
        end = self.stream.tell() + count
        if end > self.stream.getbuffer().nbytes:
            raise EOFError("an array ends early")
        self.stream.seek(end)


type _Step = Callable[[_Machine, Any], Any]


def _new_dict(machine: _Machine, _: Any) -> None:
    items = machine.to_mark()
    machine.push({})
    machine.set_items(items)


def _imported(machine: _Machine, argument: str) -> Any:
    """GLOBAL and INST give "module name"; a space in either could hide another name, and is refused as damage."""
    module, name = argument.split(" ")
    return machine.named(module, name)


def _extension(machine: _Machine, _: Any) -> None:
    machine.push(machine.from_outside("an extension code"))


def _object(machine: _Machine, _: Any) -> None:
    maker, *arguments = machine.to_mark()
    machine.make(maker, arguments)


def _frame(_machine: _Machine, _length: int) -> None:
    """Frames only say how much to read at once."""


def _items(machine: _Machine, _: Any) -> None:
    machine.to_mark()
    machine.push(_ITEMS)


def _constant(value: object) -> _Step:
    return lambda machine, _: machine.push(value)


def _steps() -> dict[str, _Step]:
    """What each opcode does to the machine."""
    steps: dict[str, _Step] = {
        "PROTO": _Machine.protocol_is,
        "FRAME": _frame,
        "STOP": lambda machine, _: machine.take(1),
        "MARK": lambda machine, _: machine.push(_MARK),
        "POP": lambda machine, _: machine.stack.pop(),
        "POP_MARK": lambda machine, _: machine.to_mark(),
        "DUP": lambda machine, _: machine.push(machine.stack[-1]),
        "MEMOIZE": _Machine.remember,
        "EMPTY_DICT": lambda machine, _: machine.push({}),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
        "TUPLE1": lambda machine, _: machine.push(tuple(machine.take(1))),
        "TUPLE2": lambda machine, _: machine.push(tuple(machine.take(2))),
        "TUPLE3": lambda machine, _: machine.push(tuple(machine.take(3))),
        "APPEND": lambda machine, _: machine.take(1),
        "APPENDS": lambda machine, _: machine.to_mark(),
        "ADDITEMS": lambda machine, _: machine.to_mark(),
        "DICT": _new_dict,
        "SETITEM": lambda machine, _: machine.set_items(machine.take(2)),
        "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
        "GLOBAL": lambda machine, argument: machine.push(_imported(machine, argument)),
        "STACK_GLOBAL": lambda machine, _: machine.push(machine.named(*machine.take(2))),
        "INST": lambda machine, argument: machine.make(_imported(machine, argument), machine.to_mark()),
        "OBJ": _object,
        "REDUCE": lambda machine, _: machine.push(Made(*machine.take(2))),
        "NEWOBJ": lambda machine, _: machine.push(Made(*machine.take(2))),
        "NEWOBJ_EX": lambda machine, _: machine.push(Made(*machine.take(3)[:2])),
        "BUILD": lambda machine, _: machine.build(*machine.take(1)),
        "PERSID": _Machine.persistent,
        "BINPERSID": _Machine.persistent,
        "NEXT_BUFFER": lambda machine, _: machine.push(machine.from_outside("an out-of-band buffer")),
        "READONLY_BUFFER": lambda machine, _: machine.from_outside("an out-of-band buffer"),
    }
    constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
    steps |= {name: _constant(value) for name, value in constants.items()}
    steps |= dict.fromkeys(("EMPTY_LIST", "EMPTY_SET"), _constant(_ITEMS))
    steps |= dict.fromkeys(("LIST", "FROZENSET"), _items)
    steps |= dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension)
    steps |= dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.remember)
    steps |= dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, key: machine.push(machine.memo[key]))
    # Whatever is left carries its value as the opcode's argument: numbers, strings, bytes.
    rest = {opcode.name for opcode in pickletools.opcodes if opcode.arg is not None} - steps.keys()
    return steps | dict.fromkeys(rest, _Machine.push)


_STEPS: Final = _steps()
