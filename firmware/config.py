"""TOML into frozen dataclasses, strictly.

Promises: a file either gives a complete object, or a `ConfigError` with every problem in it at
once (unknown key, missing key, wrong type, out of range), each by dotted path and line; the file
is never changed and nothing is clamped or guessed. Knows nothing of what the settings mean: a
package declares dataclasses and says limits with `setting(...)`.
"""

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

C = TypeVar("C")
_BAD = object()
_BEYOND_FLOAT = 10**300


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file; `line` is 0 where the thing is absent from it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}"


class ConfigError(ValueError):
    """All problems of one file."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        super().__init__(f"{file}: " + "; ".join(str(problem) for problem in problems))


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    least: float | None = None,
    most: float | None = None,
    pattern: str | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field with its meaning and limits. `choices` and `pattern` also bind each
    element of a tuple; a mapping's values are bound by `least`/`most`/`choices`."""
    limits = {
        "help": help, "least": least, "most": most, "pattern": pattern, "choices": choices,
    }  # fmt: skip
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=limits)
    return dataclasses.field(default=default, metadata=limits)


def load(file: Path, kind: type[C]) -> C:
    """The file as an instance of `kind`. Raises ConfigError, also for an unreadable file."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(file, [Problem("file", 0, f"cannot be read: {reason}")]) from error
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib's own is a ValueError
        raise ConfigError(file, [Problem("syntax", 0, str(error))]) from error
    problems: list[Problem] = []
    value = _table("", raw, kind, _lines(text), problems)
    if problems:
        raise ConfigError(file, sorted(problems, key=lambda p: (p.line or 10**6, p.path)))
    return value  # type: ignore[no-any-return]


def describe(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key that `kind` understands, with its help, as (dotted path, text)."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        path = f"{prefix}{field.name}"
        inner = next((t for t in _options(hints[field.name]) if dataclasses.is_dataclass(t)), None)
        if inner is None:
            yield path, field.metadata.get("help", "")
        else:
            yield from describe(inner, f"{path}.")  # type: ignore[arg-type]


def _table(
    path: str, raw: Mapping[str, Any], kind: type[Any], lines: dict[str, int], out: list[Problem]
) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    before = len(out)
    for key in raw.keys() - fields.keys():
        near = ", ".join(sorted(fields))
        dotted = _join(path, key)
        out.append(Problem(dotted, lines.get(dotted, 0), f"unknown key (known here: {near})"))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        dotted = _join(path, name)
        if name in raw:
            values[name] = _value(dotted, raw[name], hints[name], field.metadata, lines, out)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            out.append(Problem(dotted, lines.get(path, 0), "missing, and it has no default"))
    if len(out) > before:
        return _BAD
    try:
        return kind(**values)
    except ValueError as error:  # a rule between several keys, from __post_init__
        out.append(Problem(path or "file", lines.get(path, 0), str(error)))
        return _BAD


def _value(
    path: str,
    raw: Any,
    hint: Any,
    limits: Mapping[str, Any],
    lines: dict[str, int],
    out: list[Problem],
) -> Any:
    for option in _options(hint):
        if dataclasses.is_dataclass(option) and isinstance(raw, dict):
            return _table(path, raw, option, lines, out)  # type: ignore[arg-type]
        if get_origin(option) is dict and isinstance(raw, dict):
            inner = get_args(option)[1]
            return {k: _value(_join(path, k), v, inner, limits, lines, out) for k, v in raw.items()}
        if get_origin(option) is tuple and isinstance(raw, list):
            inner = get_args(option)[0]
            return tuple(_value(path, v, inner, limits, lines, out) for v in raw)
        converted = _scalar(raw, option)
        if converted is not _BAD:
            problem = _outside(converted, limits)
            if problem:
                out.append(Problem(path, lines.get(path, 0), problem))
            return converted
    wanted = " or ".join(_type_name(o) for o in _options(hint) if o is not NoneType)
    out.append(Problem(path, lines.get(path, 0), f"is {raw!r}, expected {wanted}"))
    return _BAD


def _scalar(raw: Any, option: Any) -> Any:
    if option is float and type(raw) in (int, float):
        return float(raw) if abs(raw) < _BEYOND_FLOAT else _BAD
    if option is Path and isinstance(raw, str) and raw:
        return Path(raw)
    return raw if type(raw) is option else _BAD


def _outside(value: Any, limits: Mapping[str, Any]) -> str | None:
    least, most, pattern, choices = (
        limits.get(k) for k in ("least", "most", "pattern", "choices")
    )  # fmt: skip
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = -float("inf") if least is None else least
        high = float("inf") if most is None else most
        if not low <= value <= high:
            return f"is {value}, must be within {low:g}..{high:g}"
    if choices and isinstance(value, str) and value not in choices:
        return f"is {value!r}, must be one of {', '.join(choices)}"
    if pattern and isinstance(value, str) and re.fullmatch(pattern, value) is None:
        return f"is {value!r}, must look like {pattern}"
    return None


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is UnionType else (hint,)


def _type_name(option: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text in quotes", Path: "a path"}
    if dataclasses.is_dataclass(option) or get_origin(option) is dict:
        return "a table"
    if get_origin(option) is tuple:
        return "a list"
    return names.get(option, "true or false")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def _lines(text: str) -> dict[str, int]:
    """Where each key stands. tomllib keeps no positions; good enough for plain config files."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.fullmatch(line):
            section = match[1].replace('"', "").replace(" ", "")
            found.setdefault(section, number)
        elif match := _KEY.match(line):
            found.setdefault(_join(section, match[1].strip("\"'")), number)
    return found
