import csv
import io
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from firmware.base.survey.book import Survey
from firmware.base.survey.numbers import Period
from firmware.base.survey.reading import Reader
from firmware.base.survey.report import compute, csv_text, table, write_report
from firmware.base.survey.settings import SurveySettings
from firmware.base.survey.statements import Placed
from firmware.cli import main
from tests.base.survey.survey_store import DAY_S, T0, health, placed, put, seen

NOW_S = T0 + 20 * DAY_S


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two units for 20 days; the second falls silent after ten. Leopards by night, deer by day."""
    folder = tmp_path_factory.mktemp("report") / "b"
    rng = np.random.default_rng(1)
    arrivals = [
        health(T0 + h * 3600 * 6, unit)
        for unit, hours in (("T0007", 80), ("T0008", 40)) for h in range(hours)
    ]  # fmt: skip
    solar_midnight = T0 - (T0 + 131.1487 * 240) % DAY_S + DAY_S
    for number in range(30):
        night = solar_midnight + (number % 18) * DAY_S + rng.normal(0, 3600)
        arrivals.append(seen(100 + number, night, "leopard", "T0007"))
        noon = solar_midnight + (number % 9) * DAY_S + DAY_S / 2 + rng.normal(0, 3600)
        arrivals.append(seen(200 + number, noon, "deer", "T0008"))
    arrivals.append(seen(300, T0 + DAY_S, "tiger", "T0009"))
    put(folder, *arrivals)
    with Survey(folder) as survey:
        survey.state([placed("T0007"), placed("T0008", place='Bach <1> & "2"')], "Olga", NOW_S)
    return folder


def report(data_dir: Path, out: Path, period: Period = Period()) -> str:  # noqa: B008
    with Reader(data_dir) as reader:
        found = compute(reader, SurveySettings(), period, NOW_S)
    write_report(found, out)
    return table(found)


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_effort_ends_where_a_unit_fell_silent(data_dir: Path, tmp_path: Path) -> None:
    report(data_dir, tmp_path)
    effort = {row["unit"]: float(row["nights"]) for row in rows(tmp_path / "effort.csv")}
    assert effort == {"T0007": pytest.approx(20, abs=0.01), "T0008": pytest.approx(9.75, abs=0.01)}


def test_the_table_tells_rates_with_their_method_and_what_has_no_place(
    data_dir: Path, tmp_path: Path
) -> None:
    text = report(data_dir, tmp_path)
    assert "2 deployments, 29.7 trap-nights" in text or "29.8 trap-nights" in text
    assert "1 more without a deployment" in text
    rates = {row["species"]: row for row in rows(tmp_path / "rates.csv")}
    assert set(rates) == {"deer", "leopard", "prey"}
    assert rates["prey"]["per_100_trap_nights"] == rates["deer"]["per_100_trap_nights"]
    leopard = rates["leopard"]
    assert float(leopard["per_100_trap_nights"]) == pytest.approx(
        100 * int(leopard["events"]) / float(leopard["trap_nights"]), abs=1e-3
    )
    assert leopard["method"] == "poisson" and leopard["places"] == "1"


def test_leopards_by_night_and_deer_by_day_hardly_overlap_in_solar_time(
    data_dir: Path, tmp_path: Path
) -> None:
    report(data_dir, tmp_path)
    (pair,) = rows(tmp_path / "overlap.csv")
    assert (pair["one"], pair["other"], pair["estimator"]) == ("leopard", "deer", "Dhat1")
    assert float(pair["overlap"]) < 0.1
    curve = {float(r["solar_hour"]): float(r["leopard"]) for r in rows(tmp_path / "activity.csv")}
    assert curve[0.0] > 20 * curve[12.0]
    assert sum(curve.values()) * 24 / len(curve) == pytest.approx(1, abs=1e-3)


def test_every_drawing_is_well_formed_loads_nothing_and_the_report_is_the_same_each_time(
    data_dir: Path, tmp_path: Path
) -> None:
    report(data_dir, tmp_path / "one")
    report(data_dir, tmp_path / "two")
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert {"operation.svg", "accumulation.svg", "activity-leopard.svg"} <= set(files)
    for name in files:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        if name.endswith(".svg"):
            root = xml.etree.ElementTree.fromstring(content)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert b"href" not in content and content.count(b"http") == 1
            assert b"nan" not in content


def test_a_period_limits_effort_and_events(data_dir: Path, tmp_path: Path) -> None:
    report(data_dir, tmp_path, Period(T0 + 2 * DAY_S, T0 + 4 * DAY_S))
    effort = [float(row["nights"]) for row in rows(tmp_path / "effort.csv")]
    assert effort == [pytest.approx(2), pytest.approx(2)]
    for row in rows(tmp_path / "records.csv"):
        assert "2026-09-23" <= row["DateTimeOriginal"][:10] <= "2026-09-26"
    header = (tmp_path / "operation.csv").read_text().splitlines()[0].split(",")
    assert len(header) - 2 == 3


def test_the_report_holds_no_coordinate(data_dir: Path, tmp_path: Path) -> None:
    text = report(data_dir, tmp_path)
    for content in (text, *(p.read_text() for p in tmp_path.iterdir())):
        assert "43.05" not in content and "131.1" not in content


def test_an_empty_survey_reports_nothing_and_does_not_fail(tmp_path: Path) -> None:
    with Survey(tmp_path / "b"):
        pass
    config = tmp_path / "base.toml"
    config.write_text(f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{tmp_path / "b"}"\n')
    words = ["base", "report", "--config", str(config), "--out", str(tmp_path / "r")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "0 deployments, 0.0 trap-nights, 0 events" in done.output
    bad = CliRunner().invoke(main, [*words, "--from", "spring"])
    assert bad.exit_code == 1 and "2026-03-01" in bad.output


def test_a_deployment_that_begins_after_now_has_no_effort_yet(tmp_path: Path) -> None:
    with Survey(tmp_path / "b") as survey:
        survey.state([Placed("T0007", "x", 43, 131, NOW_S + DAY_S)], "Olga", NOW_S)
    assert "1 deployments, 0.0 trap-nights" in report(tmp_path / "b", tmp_path / "r")


def test_tables_are_plain_csv() -> None:
    assert csv_text(("a", "b"), [(1, None), ("x,y", 2.5)]) == 'a,b\n1,\n"x,y",2.5\n'


def test_only_the_numbers_need_scipy_so_that_a_base_without_it_still_exports() -> None:
    program = (
        "import sys, firmware.base.survey.report, firmware.base.export.write; "
        "sys.exit('scipy' in sys.modules or 'frictionless' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
