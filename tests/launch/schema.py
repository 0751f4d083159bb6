"""A strict check of Kubernetes objects against schemas: a field that the schema does not name is an error."""

import re
from collections.abc import Iterator
from typing import Any

TYPES = {"string": str, "object": dict, "integer": int, "array": list, "boolean": bool}
CHECKED = {
    "type",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "enum",
    "pattern",
    "minimum",
    "minLength",
    "maxLength",
    "maxItems",
    "x-kubernetes-int-or-string",
}
PASSED_OVER = {"anyOf", "default", "format"}
"""`anyOf` occurs only beside `x-kubernetes-int-or-string`, and says the same."""


def errors(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The errors of a value, each with the path of its field."""
    unknown = {word for word in schema if not word.startswith("x-kubernetes-")} - CHECKED - PASSED_OVER
    assert not unknown, f"{path}: this check does not know {unknown}"
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str) or isinstance(value, bool):
            yield f"{path}: {value!r} is no number or string"
        return
    expected = TYPES[schema["type"]]
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield f"{path}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not in {schema['enum']}"
    if isinstance(value, dict):
        yield from _errors_of_object(value, schema, path)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{path}: too many"
        for index, item in enumerate(value):
            yield from errors(item, schema["items"], f"{path}[{index}]")
    elif isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            yield f"{path}: {value!r} does not match {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path}: {value!r} has a wrong length"
    elif value < schema.get("minimum", value):
        yield f"{path}: {value} is less than {schema['minimum']}"


def _errors_of_object(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{name}: missing" for name in schema.get("required", []) if name not in value)
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, item in value.items():
        if name in properties or isinstance(others, dict):
            yield from errors(item, properties.get(name, others), f"{path}.{name}")
        else:
            yield f"{path}.{name}: unknown field"
