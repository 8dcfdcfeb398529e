"""Bursts as the card counts them."""

from pathlib import Path

from models.bursts import Ablation, read_bursts, table
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


def test_the_table_gives_false_alerts_per_thousand() -> None:
    row = table([Ablation("x", Share(9, 10), Share(1, 200))]).splitlines()[-1]
    assert row.startswith("| x | 90") and row.endswith("| 5 |")
