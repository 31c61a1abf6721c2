"""ONNX files: recognised by their protobuf fields, parsed and checked, never run."""

from typing import Any

from lightship.loading.errors import CorruptModelError, MissingPackageError, ModelLoadError
from lightship.loading.model import OnnxModel, OnnxTensor

# Top-level fields of onnx.ModelProto (onnx/onnx.proto): ir_version = 1, graph = 7, opset_import = 8, ...
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_GRAPH_FIELD = 7


def looks_like_onnx(data: bytes) -> bool:
    """Whether the start of `data` reads as the fields of a ModelProto up to its graph, which may be cut short."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number not in _MODEL_FIELDS or wire not in (0, 2):
            return False
        value, position = _varint(data, position)
        if number == _GRAPH_FIELD:
            return wire == 2
        position += value if wire == 2 else 0
    return False


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Protobuf's variable-length integer and the position after it; a tag that nothing has where the bytes end."""
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return 7, len(data)


def load_onnx(data: bytes, file: str) -> OnnxModel:
    """Parse and check. Raises CorruptModelError, or ModelLoadError when weights live in other files."""
    try:
        import onnx
        from onnx import checker
    except ImportError as error:
        raise MissingPackageError(file, "onnx", "lightship[onnx]") from error
    try:
        model = onnx.load_model_from_string(data)
        _refuse_external_data(model, file)
        checker.check_model(model)
        initial = {tensor.name for tensor in model.graph.initializer}
        return OnnxModel(
            data=data,
            inputs=tuple(_tensor(value) for value in model.graph.input if value.name not in initial),
            outputs=tuple(_tensor(value) for value in model.graph.output),
            opsets=tuple((opset.domain, opset.version) for opset in model.opset_import),
        )
    except ModelLoadError:
        raise
    except Exception as error:
        raise CorruptModelError(
            f"{file} is a damaged or invalid ONNX file ({' '.join(str(error).split())[:300]}). Export the model again."
        ) from error


def _refuse_external_data(model: Any, file: str) -> None:
    """Tensors may name files beside the model, any path included: those are never opened."""
    outside = [tensor.name for tensor in model.graph.initializer if tensor.data_location == tensor.EXTERNAL]
    if outside:
        raise ModelLoadError(
            f"{file} keeps {len(outside)} of its tensors in other files (first: {outside[0]!r}). Save it as one file: "
            "onnx.save_model(onnx.load(path), path, save_as_external_data=False)."
        )


def _tensor(value: Any) -> OnnxTensor:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return OnnxTensor(value.name, (kind or "unknown").removesuffix("_type").upper())
    tensor = value.type.tensor_type
    shape = tuple(length.dim_value if length.HasField("dim_value") else None for length in tensor.shape.dim)
    return OnnxTensor(value.name, onnx.TensorProto.DataType.Name(tensor.elem_type), shape)
