"""Collects a program's nodes and arrays, each once, and writes the two files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lightship.compile.values import RawColumn, Value
from lightship_runtime.documents import dump_document
from lightship_runtime.program.format import ALIGNMENT, BINARY, GRAPH, ITEM_SIZES, MAGIC, SCHEMA, Kind
from lightship_runtime.program.numerics import Array

_FORMATS = {"float64": "d", "float32": "f", "int64": "q", "int32": "i", "int16": "h", "uint8": "B"}


@dataclass
class Builder:
    """Nodes in the order they were emitted. Emitting the same operation on the same inputs gives the same node."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    _known_nodes: dict[str, int] = field(default_factory=dict)
    _known_arrays: dict[bytes, int] = field(default_factory=dict)

    def emit(
        self,
        op: str,
        inputs: Sequence[Value],
        *,
        kind: Kind = "dense",
        width: int,
        dtype: str = "float64",
        params: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Any] | None = None,
        columns: tuple[RawColumn, ...] = (),
        stored_sparse: bool = False,
    ) -> Value:
        """Add an operation (see `lightship_runtime.program.ops`). `params` are JSON; arrays of other dtypes than the
        format's are refused with a TypeError."""
        node: dict[str, Any] = {"op": op, "inputs": [value.position for value in inputs], "kind": kind, "width": width}
        if params:
            node["params"] = dict(params)
        if arrays:
            node["arrays"] = {name: self._array(array) for name, array in arrays.items()}
        key = json.dumps(node, sort_keys=True)
        position = self._known_nodes.setdefault(key, len(self.nodes))
        if position == len(self.nodes):
            self.nodes.append(node)
        return Value(position, kind, width, dtype, columns, stored_sparse)

    def _array(self, values: Any) -> int:
        array = np.ascontiguousarray(values)
        if array.dtype.name not in _FORMATS:
            raise TypeError(f"A program holds no arrays of dtype {array.dtype}")
        digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).digest()
        position = self._known_arrays.setdefault(digest, len(self.arrays))
        if position == len(self.arrays):
            self.arrays.append(array)
        return position

    def write(self, outputs: Mapping[str, Value], folder: Path) -> int:
        """Write what the outputs need, and nothing else, to `folder`. Returns the bytes of both files."""
        kept = self._needed([value.position for value in outputs.values()])
        moved = {old: new for new, old in enumerate(kept)}
        nodes = [self.nodes[old] for old in kept]
        used = sorted({at for node in nodes for at in node.get("arrays", {}).values()})
        placed = {old: new for new, old in enumerate(used)}
        entries, chunks, end = _layout([self.arrays[old] for old in used])
        document = {
            "schema": SCHEMA,
            "bytes": end,
            "arrays": entries,
            "nodes": [_renumbered(node, moved, placed) for node in nodes],
            "outputs": {name: moved[value.position] for name, value in outputs.items()},
        }
        text = dump_document(document)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BINARY).write_bytes(b"".join(chunks))
        (folder / GRAPH).write_bytes(text)
        return end + len(text)

    def _needed(self, roots: Sequence[int]) -> list[int]:
        seen: set[int] = {0}
        waiting = list(roots)
        while waiting:
            position = waiting.pop()
            if position not in seen:
                seen.add(position)
                waiting += self.nodes[position]["inputs"]
        return sorted(seen)


def _renumbered(node: Mapping[str, Any], moved: Mapping[int, int], placed: Mapping[int, int]) -> dict[str, Any]:
    renumbered = {**node, "inputs": [moved[position] for position in node["inputs"]]}
    if "arrays" in node:
        renumbered["arrays"] = {name: placed[at] for name, at in node["arrays"].items()}
    return renumbered


def _layout(arrays: Sequence[Array]) -> tuple[list[dict[str, Any]], list[bytes], int]:
    """The arrays one after the other behind the magic bytes, each aligned, little-endian."""
    entries: list[dict[str, Any]] = []
    chunks = [MAGIC]
    end = len(MAGIC)
    for array in arrays:
        padding = -end % ALIGNMENT
        offset = end + padding
        code = _FORMATS[array.dtype.name]
        entries.append({"format": code, "shape": list(array.shape), "offset": offset})
        chunks += [b"\0" * padding, array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()]
        end = offset + prod(array.shape) * ITEM_SIZES[code]
    return entries, chunks, end
