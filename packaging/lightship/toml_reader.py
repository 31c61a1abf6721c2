"""Reads a TOML table into a frozen dataclass: its fields are the known keys, their types are what is accepted."""

import dataclasses
import difflib
import re
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints

from lightship_runtime.errors import LightshipError


class ConfigError(LightshipError):
    """lightship.toml says something that Lightship doesn't understand."""


def bounded(default: Any, low: float, high: float) -> Any:
    """A number field that accepts `low` to `high`, both included."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


def named(default: str | None, pattern: str, rule: str) -> Any:
    """A string field that wholly matches a pattern; `rule` says which, for the error."""
    return dataclasses.field(default=default, metadata={"pattern": pattern, "rule": rule})


def read_table[T](kind: type[T], table: object, where: str, folder: Path) -> T:
    """The table called `where` as a `kind`. Relative paths start at `folder`.

    Raises ConfigError naming the key, and for an unknown key the nearest known one.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} in lightship.toml is {table!r}; write it as a table of keys.")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    check_keys(table, fields, where)
    hints = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        name = f"{where}.{key}" if where else key
        values[key] = read_value(hints[key], value, name, folder)
        _check(values[key], fields[key].metadata, name)
    missing = [name for name, field in fields.items() if name not in values and _is_required(field)]
    if missing:
        raise ConfigError(f"lightship.toml lacks the key {missing[0]!r} in [{where}]. Add it, or leave [{where}] out.")
    return kind(**values)


def check_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raises ConfigError for the first key that isn't known, with the nearest that is."""
    names = list(known)
    for key in table:
        if key in names:
            continue
        nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
        place = f"[{where}]" if where else "the top level"
        raise ConfigError(
            f"lightship.toml has the unknown key {key!r} in {place}. "
            f"Did you mean {nearest[0]!r}? Known are {', '.join(sorted(names))}."
        )


def read_value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    """One value, as the field's type asks for it."""
    hint = hint.__value__ if isinstance(hint, TypeAliasType) else hint
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_table(hint, value, where, folder)
    match get_origin(hint):
        case origin if origin in {Union, types.UnionType}:
            (inner,) = (choice for choice in get_args(hint) if choice is not types.NoneType)
            return read_value(inner, value, where, folder)
        case origin if origin is Literal:
            return _choice(value, get_args(hint), where)
        case origin if origin is tuple:
            return _list(get_args(hint)[0], value, where, folder)
        case origin if origin is Mapping:
            return _mapping(get_args(hint)[1], value, where, folder)
    return _plain(hint, value, where, folder)


def _plain(hint: Any, value: Any, where: str, folder: Path) -> Any:
    if hint is Path and isinstance(value, str):
        return folder / value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) != (hint is bool) or not isinstance(value, hint):
        expected = {str: "a string", Path: "a path", int: "a whole number", float: "a number", bool: "true or false"}
        raise ConfigError(f"{where} in lightship.toml is {value!r}; write {expected[hint]}.")
    return value


def _choice(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if value in choices and type(value) in {type(choice) for choice in choices}:
        return value
    names = [str(choice) for choice in choices]
    nearest = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ConfigError(f"{where} in lightship.toml is {value!r}; it is one of {', '.join(names)}.{hint}")


def _list(hint: Any, value: Any, where: str, folder: Path) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} in lightship.toml is {value!r}; write a list.")
    return tuple(read_value(hint, item, f"{where}[{index}]", folder) for index, item in enumerate(value))


def _mapping(hint: Any, value: Any, where: str, folder: Path) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} in lightship.toml is {value!r}; write a table.")
    return {key: read_value(hint, item, f"{where}.{key}", folder) for key, item in value.items()}


def _check(value: Any, metadata: Mapping[str, Any], where: str) -> None:
    if "pattern" in metadata and not re.fullmatch(metadata["pattern"], value):
        raise ConfigError(f"{where} in lightship.toml is {value!r}; use {metadata['rule']}.")
    if "low" in metadata and not metadata["low"] <= value <= metadata["high"]:
        raise ConfigError(f"{where} in lightship.toml is {value}; it lies in {metadata['low']} to {metadata['high']}.")


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
