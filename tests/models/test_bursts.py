"""Bursts as the card counts them."""

from pathlib import Path

from models.bursts import SINGLE, Ablation, read_bursts, table, was_trained
from models.manifest import Example
from models.measure import Share


def test_sequences_are_cut_into_bursts_of_one_class(tmp_path: Path) -> None:
    folder = tmp_path / "bursts" / "a"
    folder.mkdir(parents=True)
    kinds = ["empty"] * 4 + ["leopard"] * 3 + ["empty"] * 2
    for number in range(len(kinds)):
        (folder / f"{number}.jpg").touch()
    rows = [f"a,{number}.jpg,{kind}" for number, kind in enumerate(kinds)]
    (tmp_path / "bursts.csv").write_text("\n".join(["sequence,frame,class", *rows]) + "\n")
    found = read_bursts(tmp_path)
    assert [(b.leopard, [f.stem for f in b.files]) for b in found] == [
        (False, ["0", "1", "2"]), (True, ["4", "5", "6"]),
    ]  # fmt: skip


def test_the_table_gives_false_alerts_per_thousand_and_what_was_removed() -> None:
    rows = table([
        Ablation(SINGLE, Share(8, 10), Share(2, 200)), Ablation("x", Share(9, 10), Share(1, 400)),
    ]).splitlines()[-2:]  # fmt: skip
    assert [cell.strip() for cell in rows[1].split("|")][3:7:2] == ["50 %", "75 %"]
    assert rows[0].endswith("| 10.0 |") and rows[1].endswith("| 2.5 |")


def test_what_was_trained_on_is_told_by_event_or_else_by_source() -> None:
    seen = [example("a/b", "ntlnp_Fox_12", "train"), example("c/d", "hill", "train"),
            example("a/b", "ntlnp_Fox_13", "test")]  # fmt: skip
    assert was_trained("a+b_ntlnp_Fox12", seen)
    assert not was_trained("a+b_ntlnp_Fox13", seen)
    assert was_trained("c+d_slope", seen)
    assert not was_trained("e+f_slope", seen)


def test_empty_frames_before_a_burst_of_the_same_camera_come_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "bursts" / "a"
    folder.mkdir(parents=True)
    kinds = ["empty"] * 2 + ["deer"] * 3
    for number in range(len(kinds)):
        (folder / f"{number}.jpg").touch()
    rows = [f"a,{number}.jpg,{kind}" for number, kind in enumerate(kinds)]
    (tmp_path / "bursts.csv").write_text("\n".join(["sequence,frame,class", *rows]) + "\n")
    (burst,) = read_bursts(tmp_path)
    assert [file.stem for file in burst.before] == ["0", "1"]


def example(source: str, group: str, split: str) -> Example:
    return Example(Path("x.jpg"), "red_fox", "fox", split, True, group, source, "", "", ())
