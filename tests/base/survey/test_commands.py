"""The commands of the survey, as people type them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware.cli import main
from tests.base.survey.survey_store import T0, put, seen


@pytest.fixture
def config(tmp_path: Path) -> Path:
    put(tmp_path / "b", seen(1, T0 + 10))
    file = tmp_path / "base.toml"
    file.write_text(f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{tmp_path / "b"}"\n')
    return file


def rosette(*words: str) -> Result:
    return CliRunner().invoke(main, ["base", *words])


def test_a_deployment_is_added_listed_ended_and_voided(config: Path) -> None:
    at = ["--config", str(config)]
    place = ["T0007", "Ridge 3", "43.0512", "131.1487", "--start", "2026-09-01"]
    added = rosette("deployment", "add", *at, *place, "--by", "Olga")
    assert added.output == "D0001: T0007 at Ridge 3\n"
    twice = rosette("deployment", "add", *at, *place)
    assert twice.exit_code == 1 and "stands at Ridge 3 (D0001)" in twice.output
    assert rosette("deployment", "end", *at, "D0001", "--at", "2026-10-01").exit_code == 0
    listed = rosette("deployment", "list", *at).output
    assert "43.05120" in listed and "2026-10-01T00:00Z" in listed
    assert '"stated_by": "Olga"' in rosette("deployment", "list", *at, "--json").output
    assert rosette("deployment", "void", *at, "D0001", "--reason", "wrong").exit_code == 0
    assert rosette("deployment", "list", *at).output == ""
    missing = rosette("deployment", "end", *at, "D0009", "--at", "2026-10-01")
    assert missing.exit_code == 1 and "D0009" in missing.output


def test_deployments_are_imported_all_or_none_and_again_without_effect(
    config: Path, tmp_path: Path
) -> None:
    at = ["--config", str(config)]
    table = tmp_path / "places.csv"
    table.write_text(
        "unit,place,latitude,longitude,start\nT0007,A,43.1,131.1,2026-09-01\n"
        "T0008,B,43.2,131.2,2026-09-01\nT0008,B,95,131.2,2026-09-01\n"
    )
    bad = rosette("deployment", "import", *at, str(table))
    assert bad.exit_code == 1 and "line 4: field 'latitude' is 95" in bad.output
    assert rosette("deployment", "list", *at).output == ""
    table.write_text("\n".join(table.read_text().splitlines()[:3]))
    assert (
        rosette("deployment", "import", *at, str(table)).output
        == "2 new, 0 ended, 0 known already\n"
    )
    assert rosette("deployment", "import", *at, str(table)).output == (
        "0 new, 0 ended, 2 known already\n"
    )
    table.write_text(
        "unit,place,latitude,longitude,start,end\nT0007,C,43.3,131.2,2026-10-01,\n"
        "T0008,B,43.2,131.2,2026-09-01,\nT0007,A,43.1,131.1,2026-09-01,2026-10-01\n"
    )
    for said in ("1 new, 1 ended, 1 known already\n", "0 new, 0 ended, 3 known already\n"):
        assert rosette("deployment", "import", *at, str(table)).output == said
    assert rosette("deployment", "list", *at).output.count("still there") == 2


def test_a_sighting_is_reviewed_and_its_history_shown(config: Path) -> None:
    at = ["--config", str(config), "T0007-000001"]
    assert "now: leopard x1" in rosette("review", *at).output
    assert "now: tiger x2" in rosette("review", *at, "--species", "tiger", "--count", "2").output
    assert "now: empty x0" in rosette("review", *at, "--not-animal").output
    undone = rosette("review", *at, "--undo").output
    assert "not_animal  (undone)" in undone and "now: tiger x2" in undone
    assert "correct species=tiger count=2\n" in undone
    assert rosette("review", *at, "--undo", "--confirm").exit_code == 2
    unknown = rosette("review", *at, "--species", "unicorn")
    assert unknown.exit_code == 1 and "unicorn" in unknown.output
    for name in ("T0007-000009", "nonsense"):
        assert rosette("review", "--config", str(config), name).exit_code == 1
