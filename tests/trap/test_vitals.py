"""What the machine says of itself, from a /proc and /sys of the test's own."""

from pathlib import Path

from firmware.trap.vitals import battery_mv, read_vitals


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_each_is_read_where_the_kernel_has_it(tmp_path: Path) -> None:
    write(tmp_path, "proc/uptime", "3725.91 9000.10\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    write(tmp_path, "sys/class/power_supply/battery/voltage_now", "12450000\n")
    vitals = read_vitals(tmp_path, tmp_path)
    assert (vitals.uptime_s, vitals.cpu_c, vitals.battery_mv) == (3725.91, 48.312, 12450)
    assert vitals.disk_free_bytes > 0


def test_what_is_not_there_or_nonsense_is_unknown(tmp_path: Path) -> None:
    vitals = read_vitals(tmp_path / "missing", tmp_path)
    assert (vitals.uptime_s, vitals.cpu_c, vitals.battery_mv) == (0.0, None, None)
    assert vitals.disk_free_bytes == 0
    write(tmp_path, "proc/uptime", "")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "asleep\n")
    write(tmp_path, "sys/class/power_supply/usb/voltage_now", "0\n")
    vitals = read_vitals(tmp_path, tmp_path)
    assert (vitals.uptime_s, vitals.cpu_c, vitals.battery_mv) == (0.0, None, None)


def test_a_sensor_that_cannot_be_read_gives_way_to_the_next(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/power_supply/ac/online", "1\n")
    write(tmp_path, "sys/class/power_supply/b1/voltage_now", "?\n")
    write(tmp_path, "sys/class/power_supply/b2/voltage_now", "3700000\n")
    assert battery_mv(tmp_path) == 3700


def test_this_machine_has_an_uptime_and_a_disk() -> None:
    vitals = read_vitals(Path("/tmp"))
    assert vitals.uptime_s > 0 and vitals.disk_free_bytes > 0
