"""The contract as JSON Schema, for the OpenAPI page. It documents; `validation` decides."""

from typing import Any

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.predict import MAX_ROWS, class_key

# As `labels` has it, which doesn't ship with the function that shows this page.
MAX_LABELS = 10_000


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


def feedback_operation() -> dict[str, Any]:
    """`POST /feedback`, which another function answers: it is described here, and not served."""
    problem = {"content": {"application/problem+json": {"schema": _PROBLEM}}}
    return {
        "summary": "Send what came true of predictions",
        "description": "Answered by a function of its own where the model's monitoring is deployed; elsewhere 404.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _FEEDBACK}}},
        "responses": {
            "200": {
                "description": "How many labels are taken; what is wrong with the others",
                "content": {"application/json": {"schema": _TAKEN}},
            },
            "400": {"description": "The body isn't JSON", **problem},
            "404": {"description": "No monitoring is deployed", **problem},
            "413": {"description": "The body, its labels or the hours they are of are too many", **problem},
            "415": {"description": "The body isn't application/json", **problem},
            "422": {"description": "None of the labels can be taken", **problem},
            "500": {"description": "The labels couldn't be stored: send them again", **problem},
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


_ERRORS = {
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
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": _ERRORS,
    },
    "required": ["type", "title", "status", "detail"],
}
_LABEL = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The prediction's, as its answer had it"},
        "actual": {"type": ["string", "number", "boolean"], "description": "What came true"},
        "time": {
            "type": ["string", "number"],
            "description": "When it was known: an ISO 8601 time, or seconds since 1970; without it, when it arrives",
        },
    },
    "required": ["id", "actual"],
    "additionalProperties": False,
}
_FEEDBACK = {
    "type": "object",
    "properties": {"labels": {"type": "array", "items": _LABEL, "maxItems": MAX_LABELS}},
    "required": ["labels"],
    "additionalProperties": False,
}
_TAKEN = {
    "type": "object",
    "properties": {"accepted": {"type": "integer"}, "refused": {"type": "integer"}, "errors": _ERRORS},
    "required": ["accepted", "refused"],
}
