"""Strict config: all problems at once, by dotted path and line; nothing repaired."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.config import ConfigError, describe, load, setting


@dataclass(frozen=True)
class Pin:
    number: int = setting(help="which pin", least=0, most=27)
    pull: str = setting("up", help="which way", choices=("up", "down"))


@dataclass(frozen=True)
class Sample:
    pin: Pin
    name: str = setting(help="a name", pattern=r"[a-z]+")
    ratio: float = setting(0.5, help="a ratio", least=0, most=1)
    folder: Path | None = setting(None, help="a folder")
    table: dict[str, tuple[str, ...]] = setting({}, help="words", choices=("a", "b"))


def read(tmp_path: Path, text: str) -> Sample:
    file = tmp_path / "sample.toml"
    file.write_text(text)
    return load(file, Sample)


def test_a_good_file_gives_the_whole_object_with_defaults(tmp_path: Path) -> None:
    sample = read(tmp_path, 'name = "x"\nratio = 1\n[pin]\nnumber = 4\n[table]\nk = ["a"]\n')
    assert sample == Sample(Pin(4, "up"), "x", 1.0, None, {"k": ("a",)})


def test_all_problems_are_reported_at_once_with_path_and_line(tmp_path: Path) -> None:
    text = (
        'name = "Bad"\n'
        "ratio = 7\n"
        "colour = 1\n"
        "[pin]\n"
        'number = "four"\n'
        'pull = "sideways"\n'
        "[table]\n"
        'k = ["a", "z"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    found = {(p.path, p.line) for p in caught.value.problems}
    assert found == {
        ("name", 1), ("ratio", 2), ("colour", 3), ("pin.number", 5), ("pin.pull", 6),
        ("table.k", 8),
    }  # fmt: skip


def test_missing_keys_and_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "[pin]\n")
    assert {p.path for p in caught.value.problems} == {"name", "pin.number"}


def test_true_is_not_a_number_and_a_number_is_not_true(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pin\.number: is True, expected a whole number"):
        read(tmp_path, 'name = "x"\n[pin]\nnumber = true\n')


def test_nan_and_infinity_are_out_of_range(tmp_path: Path) -> None:
    for value in ("nan", "inf", "-inf"):
        with pytest.raises(ConfigError, match="ratio"):
            read(tmp_path, f'name = "x"\nratio = {value}\n[pin]\nnumber = 1\n')


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_any_length_are_out_of_range_and_no_crash(tmp_path: Path, digits: int) -> None:
    for line in (f"ratio = {'9' * digits}\n[pin]\nnumber = 1", f"[pin]\nnumber = {'9' * digits}"):
        with pytest.raises(ConfigError):
            read(tmp_path, f'name = "x"\n{line}\n')


def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "absent.toml", Sample)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin.toml", Sample)


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        read(tmp_path, 'name = "x"\nratio = = 1\n')


def test_describe_lists_every_key_with_its_help() -> None:
    assert dict(describe(Sample))["pin.number"] == "which pin"
    assert set(dict(describe(Sample))) == {
        "pin.number", "pin.pull", "name", "ratio", "folder", "table",
    }  # fmt: skip


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.text(max_size=200))
def test_any_text_gives_an_object_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load(file, Sample)
