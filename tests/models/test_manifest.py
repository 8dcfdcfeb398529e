"""The manifest puts every image on one side, and says which line is wrong."""

from pathlib import Path

import pytest

from models.labels import FOLDER_TO_LABEL, LABELS, NTLNP_TO_LABEL
from models.manifest import Box, parse_boxes, read_frames

HEADER = "file,class,split,camera_trap,scene_group,source,licence,note,boxes\n"


def write(folder: Path, rows: list[str]) -> Path:
    (folder / "images.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return folder


def row(number: int, group: str, split: str = "train", name: str = "leopard") -> str:
    return f"{name}/{number}.jpg,{name},{split},yes,{group},some/where,MIT,,0.1 0.2 0.3 0.4"


def test_a_scene_group_never_stands_on_two_sides(tmp_path: Path) -> None:
    rows = [row(i, f"camera{i // 5}") for i in range(500)]
    sides: dict[str, set[str]] = {}
    for example in read_frames(write(tmp_path, rows)):
        sides.setdefault(example.scene_group, set()).add(example.split)
    assert all(len(side) == 1 for side in sides.values())
    share = sum(side == {"validation"} for side in sides.values()) / len(sides)
    assert 0.05 < share < 0.3


def test_the_test_split_is_left_as_it_is(tmp_path: Path) -> None:
    rows = [row(i, f"camera{i}", split="test") for i in range(100)]
    assert {e.split for e in read_frames(write(tmp_path, rows))} == {"test"}


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 3"):
        read_frames(write(tmp_path, [row(1, "a"), row(2, "b", name="unicorn")]))


def test_boxes_are_read_in_the_order_of_the_file() -> None:
    assert parse_boxes("0.1 0.2 0.3 0.4; 0 0 1 1") == (Box(0.1, 0.2, 0.3, 0.4), Box(0, 0, 1, 1))
    assert parse_boxes("") == ()


def test_every_mapping_ends_in_a_label_and_look_alikes_are_no_leopards() -> None:
    assert set(FOLDER_TO_LABEL.values()) <= set(LABELS)
    assert set(NTLNP_TO_LABEL.values()) <= set(LABELS)
    for folder in ("jaguar", "cheetah", "snow_leopard", "other_felid", "raccoon"):
        assert FOLDER_TO_LABEL[folder] == "other_animal"
