"""A unit's secret: read when it is one and nobody else's, made once, never written over."""

from pathlib import Path

import pytest

from firmware.radio.key_file import KeyUnusable, make_key, read_app_key, read_keys
from firmware.wire.packet import derive_keys


def write(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_secret_is_read_as_the_units_keys(tmp_path: Path) -> None:
    file = write(tmp_path / "key", f" {bytes(16).hex()}\n")
    assert read_keys(file, 7) == derive_keys(bytes(16), 7)
    assert read_keys(file, 7) != read_keys(file, 8)


@pytest.mark.parametrize("text", ["", "secret\n", "00" * 15, "0" * 33, "00" * 16 + " 00", "é" * 40])
def test_what_is_no_key_is_told_and_not_shown(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "key", text)
    with pytest.raises(KeyUnusable) as told:
        read_keys(file, 7)
    assert str(file) in str(told.value)
    assert not text or text.strip() not in str(told.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_secret_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_keys(write(tmp_path / "key", "00" * 16, mode), 7)


@pytest.mark.parametrize("digits", ["00" * 15, "00" * 17, "key"])
def test_an_app_key_has_sixteen_bytes(tmp_path: Path, digits: str) -> None:
    assert read_app_key(write(tmp_path / "good", "0a" * 16 + "\n")) == bytes([10] * 16)
    with pytest.raises(KeyUnusable, match="bad"):
        read_app_key(write(tmp_path / "bad", digits))


def test_a_secret_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="No such file"):
        read_keys(tmp_path / "none", 7)


def test_a_made_secret_is_read_back_and_is_no_other_ones(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_key(tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert read_keys(tmp_path / "a", 7) != read_keys(tmp_path / "b", 7)


def test_a_secret_is_never_written_over(tmp_path: Path) -> None:
    file = write(tmp_path / "key", "ab" * 16)
    with pytest.raises(KeyUnusable, match="exists"):
        make_key(file)
    assert file.read_text() == "ab" * 16
