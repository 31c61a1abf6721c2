"""The contract as JSON Schema, for the OpenAPI page. It documents; `validation` decides."""

from typing import Any

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.predict import MAX_ROWS, class_key


def predict_operation(contract: Contract) -> dict[str, Any]:
    """What FastAPI is to say of `POST /predict` beyond its path."""
    problem = {"content": {"application/problem+json": {"schema": _PROBLEM}}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": request_schema(contract)}}},
        "responses": {
            "200": {
                "description": "One prediction a row, in order",
                "content": {"application/json": {"schema": response_schema(contract.output)}},
            },
            "400": {"description": "The body isn't JSON", **problem},
            "413": {"description": "The body or the answer is too large", **problem},
            "415": {"description": "The body isn't application/json", **problem},
            "422": {"description": "A row isn't what the contract says", **problem},
        },
    }


def request_schema(contract: Contract) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in contract.columns},
        "required": list(contract.names),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "instances": {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS},
            "ids": {"type": "array", "items": {"type": "string"}, "description": "The caller's own ids, one a row"},
        },
        "required": ["instances"],
        "additionalProperties": False,
    }


def column_schema(column: Column) -> dict[str, Any]:
    """Ranges and categories are described, not enforced: what lies outside is predicted and flagged."""
    match column.type:
        case "number" | "integer" | "boolean":
            kind: dict[str, Any] = {"type": column.type}
        case "datetime":
            kind = {"type": "string", "format": "date-time"}
        case "category" if column.categories and isinstance(column.categories[0], bool):
            kind = {"type": "boolean"}
        case "category" if column.categories and not isinstance(column.categories[0], str):
            kind = {"type": "number"}
        case "category" | "text":
            kind = {"type": "string"}
    if column.nullable:
        kind["type"] = [kind["type"], "null"]
    if column.minimum is not None:
        kind["description"] = f"Seen from {column.minimum} to {column.maximum}"
    if column.categories:
        kind["examples"] = list(column.categories[:20])
    return kind


def response_schema(output: Output) -> dict[str, Any]:
    match output.task:
        case "binary" | "multiclass":
            prediction: dict[str, Any] = {"enum": list(output.classes)}
        case "multilabel":
            prediction = {
                "type": "array",
                "items": {"enum": [0, 1]},
                "minItems": output.width,
                "maxItems": output.width,
            }
        case "outlier":
            prediction = {"enum": [1, -1]}
        case "clustering":
            prediction = {"type": "integer"}
        case "regression" | "transform":
            number = {"type": ["number", "null"]}
            prediction = {"type": "array", "items": number} if output.width else number
    properties: dict[str, Any] = {
        "predictions": {"type": "array", "items": prediction},
        "ids": {"type": "array", "items": {"type": "string"}},
        "model": {"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}}},
    }
    if output.probabilities:
        keys = {class_key(label): {"type": "number"} for label in output.classes}
        properties["probabilities"] = {"type": "array", "items": {"type": "object", "properties": keys}}
    return {"type": "object", "properties": properties, "required": ["predictions", "ids", "model"]}


_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": ["integer", "null"]},
                    "column": {"type": ["string", "null"]},
                    "value": {},
                    "expected": {"type": "string"},
                },
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}
