"""Programs are read with every length and reference checked; what isn't a program is refused, and runs nothing."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import RefusedRowsError
from lightship_runtime.engines import array, pure
from lightship_runtime.errors import LightshipError, UnknownSchemaError
from lightship_runtime.program.format import MAGIC, InvalidProgramError, open_program
from lightship_runtime.program.operations import find_operation

CONTRACT = Contract((Column("a", "number", "float64"), Column("b", "category", "str")), Output("regression"))


def document() -> dict[str, Any]:
    """2 * a + 10 * (b is "x") + 0.5, and a category that isn't known refused."""
    return {
        "schema": 1,
        "bytes": 64 * 3 + 8,
        "arrays": [
            {"format": "d", "shape": [1, 2], "offset": 64},
            {"format": "d", "shape": [1], "offset": 128},
            {"format": "i", "shape": [4], "offset": 64 * 3 - 8},
        ],
        "nodes": [
            {"op": "columns.inputs", "inputs": [], "kind": "raw", "width": 2},
            {
                "op": "columns.number",
                "inputs": [0],
                "kind": "dense",
                "width": 1,
                "params": {"columns": [0], "rounded": []},
            },
            {"op": "columns.pick", "inputs": [0], "kind": "raw", "width": 1, "params": {"columns": [1]}},
            {
                "op": "categories.onehot",
                "inputs": [2],
                "kind": "dense",
                "width": 1,
                "params": {"tables": [["x", "y"]], "strict": [0], "strict_missing": []},
                "arrays": {"codes": 2},
            },
            {"op": "columns.concat", "inputs": [1, 3], "kind": "dense", "width": 2},
            {
                "op": "linear.product",
                "inputs": [4],
                "kind": "dense",
                "width": 1,
                "arrays": {"weights": 0, "offset": 1},
            },
        ],
        "outputs": {"predictions": 5},
    }


def binary() -> bytes:
    weights = MAGIC.ljust(64, b"\0") + struct.pack("<dd", 2, 10)
    return (weights.ljust(128, b"\0") + struct.pack("<d", 0.5)).ljust(192, b"\0") + struct.pack("<d", 0)


def write(folder: Path, graph: Any, data: bytes | None = None) -> Path:
    arrays = {"format": "i", "shape": [4], "offset": 192}
    if isinstance(graph, dict) and data is None:
        graph["arrays"][2] = arrays
        data = binary()[:192] + struct.pack("<iiii", 0, -1, -1, -1)
        graph["bytes"] = len(data)
    folder.joinpath("program.json").write_text(graph if isinstance(graph, str) else json.dumps(graph))
    folder.joinpath("program.bin").write_bytes(data or b"")
    return folder


@pytest.mark.parametrize("engine", [array, pure])
def test_both_engines_evaluate(tmp_path: Path, engine: Any) -> None:
    opened = engine.open_engine(write(tmp_path, document()), CONTRACT)
    outputs = opened.predict([[1.5, 2, 3.0], ["x", "y", None]])
    assert list(outputs.predictions) == [13.5, 4.5, 6.5]
    assert outputs.probabilities is None


@pytest.mark.parametrize("engine", [array, pure])
def test_refused_rows_are_named(tmp_path: Path, engine: Any) -> None:
    opened = engine.open_engine(write(tmp_path, document()), CONTRACT)
    with pytest.raises(RefusedRowsError, match="'z'") as caught:
        opened.predict([[1.0, 2.0, 3.0, 4.0], ["x", "z", "y", "w"]])
    assert caught.value.rows == (1, 3)


def test_the_pure_engine_imports_no_numpy(tmp_path: Path) -> None:
    write(tmp_path, document())
    tmp_path.joinpath("contract.json").write_bytes(CONTRACT.to_json())
    code = """if True:
        import pathlib, sys
        from lightship_runtime.contract import Contract
        from lightship_runtime.engines import pure
        folder = pathlib.Path(sys.argv[1])
        contract = Contract.from_json((folder / "contract.json").read_bytes())
        print(pure.open_engine(folder, contract).predict([[1.0], ["x"]]).predictions)
        assert "numpy" not in sys.modules, "numpy was imported"
    """
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[12.5]", "")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with the item at a path like `nodes.4.inputs` replaced."""
    found = document()
    *parents, last = path.split(".")
    place: Any = found
    for part in parents:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(last) if isinstance(place, list) else last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nodes.4.inputs", [4]),
        ("nodes.4.inputs", [1, 9]),
        ("nodes.4.inputs", [-1]),
        ("nodes.4.inputs", [True]),
        ("nodes.1.op", "columns.unheard_of"),
        ("nodes.1.op", "os.system"),
        ("nodes.1.op", "../engines/native.open"),
        ("nodes.1.op", 7),
        ("nodes.1.kind", "object"),
        ("nodes.1.width", -1),
        ("nodes.1.width", 2**40),
        ("nodes.1.params", {"columns": [2], "rounded": []}),
        ("nodes.1.params", {"columns": "0", "rounded": []}),
        ("nodes.1.params", []),
        ("nodes.5.arrays", {"weights": 5, "offset": 1}),
        ("nodes.5.arrays", {"weights": 1, "offset": 1}),
        ("nodes.5.arrays", {"offset": 1}),
        ("nodes.3.params", {"tables": [["x"]], "strict": [0], "strict_missing": []}),
        ("nodes.0.op", "columns.number"),
        ("nodes", []),
        ("nodes", None),
        ("outputs", {"predictions": 6}),
        ("outputs", {}),
        ("outputs", {"predictions": 4}),
        ("arrays.0.offset", 8),
        ("arrays.0.offset", -64),
        ("arrays.0.offset", 1 << 20),
        ("arrays.0.shape", [1 << 30, 1 << 30]),
        ("arrays.0.shape", [1, 2.0]),
        ("arrays.0.format", "P"),
        ("arrays.0.format", "i"),
    ],
)
@pytest.mark.parametrize("engine", [array, pure])
def test_a_damaged_graph_is_refused(tmp_path: Path, engine: Any, path: str, value: Any) -> None:
    with pytest.raises(InvalidProgramError):
        engine.open_engine(write(tmp_path, changed(path, value)), CONTRACT)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_a_graph_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, document())
    tmp_path.joinpath("program.json").write_text(text)
    with pytest.raises(LightshipError):
        open_program(tmp_path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownSchemaError):
        open_program(write(tmp_path, changed("schema", 2)))


@pytest.mark.parametrize("kept", [0, 10, 64, 100, 207])
def test_a_truncated_binary_is_refused(tmp_path: Path, kept: int) -> None:
    write(tmp_path, document())
    data = tmp_path.joinpath("program.bin").read_bytes()
    tmp_path.joinpath("program.bin").write_bytes(data[:kept])
    with pytest.raises(InvalidProgramError):
        open_program(tmp_path)


def test_another_binary_is_refused(tmp_path: Path) -> None:
    write(tmp_path, document())
    data = tmp_path.joinpath("program.bin").read_bytes()
    tmp_path.joinpath("program.bin").write_bytes(b"x" + data[1:])
    with pytest.raises(InvalidProgramError, match="beginning"):
        open_program(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidProgramError, match="can't be read"):
        open_program(tmp_path)


def test_a_program_for_another_contract_is_refused(tmp_path: Path) -> None:
    write(tmp_path, document())
    with pytest.raises(InvalidProgramError, match="2 columns, and the contract has 1"):
        pure.open_engine(tmp_path, Contract(CONTRACT.columns[:1], CONTRACT.output))
    with pytest.raises(InvalidProgramError, match="nothing as probabilities"):
        pure.open_engine(tmp_path, Contract(CONTRACT.columns, Output("binary", (0, 1), probabilities=True)))


def test_operations_are_found_only_among_our_own() -> None:
    for name in ("", "columns", "columns.", ".number", "numerics.np", "ops.trees.ensemble", "trees.__doc__"):
        with pytest.raises(InvalidProgramError):
            find_operation(name)
