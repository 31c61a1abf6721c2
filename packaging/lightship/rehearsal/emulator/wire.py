"""AWS's query protocol on the server's side, driven by botocore's model: forms in, XML out.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lightship.rehearsal.emulator.shapes import operation


def parse_query(service: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """The operation's name and its input, typed as the model says."""
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    name = form["Action"]
    shape = operation(service, name).input_shape
    return name, _parse(shape, "", form) if shape else {}


def query_response(service: str, name: str, output: Mapping[str, Any], request_id: str) -> bytes:
    """The XML of an operation's output."""
    model = operation(service, name)
    root = Element(f"{name}Response", xmlns=model.service_model.metadata["xmlNamespace"])
    shape = model.output_shape
    if shape is not None:
        _write(SubElement(root, shape.serialization.get("resultWrapper", f"{name}Result")), shape, output)
    SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def query_error(code: str, message: str, request_id: str) -> bytes:
    """The XML of an error that the caller made."""
    root = Element("ErrorResponse")
    error = SubElement(root, "Error")
    for tag, text in (("Type", "Sender"), ("Code", code), ("Message", message)):
        SubElement(error, tag).text = text
    SubElement(root, "RequestId").text = request_id
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _parse(shape: Shape, prefix: str, form: Mapping[str, str]) -> Any:
    match shape:
        case StructureShape():
            parsed = {}
            for member, inner in shape.members.items():
                key = f"{prefix}.{member}" if prefix else member
                if any(name == key or name.startswith(f"{key}.") for name in form):
                    parsed[member] = _parse(inner, key, form)
            return parsed
        case ListShape():
            items: list[Any] = []
            while any(
                name == (key := f"{prefix}.member.{len(items) + 1}") or name.startswith(f"{key}.") for name in form
            ):
                items.append(_parse(shape.member, key, form))
            return items
    text = form.get(prefix, "")
    match shape.type_name:
        case "boolean":
            return text == "true"
        case "integer" | "long":
            return int(text)
    return text


def _write(element: Element, shape: Shape, value: Any) -> None:
    match shape:
        case StructureShape():
            for name, inner in shape.members.items():
                if value.get(name) is not None:
                    _write(SubElement(element, inner.serialization.get("name", name)), inner, value[name])
        case ListShape():
            for item in value:
                _write(SubElement(element, "member"), shape.member, item)
        case MapShape():
            for key, item in value.items():
                entry = SubElement(element, "entry")
                SubElement(entry, "key").text = key
                _write(SubElement(entry, "value"), shape.value, item)
        case _:
            element.text = _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    return str(value)
