"""The tree is the architecture: imports run one way. Says which rule a new import breaks."""

import ast
from collections.abc import Iterator
from pathlib import Path

import firmware

ROOT = Path(firmware.__file__).parent

# What each part may import of ours. A part not named here is an error: decide where it stands.
ALLOWED: dict[str, set[str]] = {
    "wire": {"wire"},
    "loop": set(),
    "config": set(),
    "broker": {"config"},
    "logs": set(),
    "durable": set(),
    "radio": {"radio", "wire", "loop", "config", "durable"},
    "sim": {"sim", "radio", "wire", "loop", "config"},
    "trap": {"trap", "radio", "wire", "loop", "config", "broker", "durable", "__init__"},
    "base": {"base", "radio", "wire", "loop", "config", "broker", "durable", "__init__"},
    "fleet": {"fleet", "trap", "base", "sim", "radio", "wire", "loop", "config", "logs"},
    "demo": {"demo", "trap", "base", "sim", "radio", "wire", "loop", "config", "broker", "logs"},
    "cli": {"cli", "demo", "fleet", "trap", "base", "wire", "loop", "config", "logs", "__init__"},
    "__init__": set(),
    "__main__": {"cli"},
}


def imports_of(file: Path) -> Iterator[tuple[str, int]]:
    """(part of ours that is imported, line)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import; name the whole path"
            names = [node.module or ""]
            if node.module == "firmware":
                names = [f"firmware.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] == "firmware":
                part = ([*name.split("."), "__init__"])[1]
                yield ("__init__" if part == "__version__" else part), node.lineno


def part_of(file: Path) -> str:
    relative = file.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def test_imports_run_one_way() -> None:
    broken = []
    for file in sorted(ROOT.rglob("*.py")):
        part = part_of(file)
        assert part in ALLOWED, f"{file}: part {part!r} has no place in the architecture"
        for imported, line in imports_of(file):
            if imported not in ALLOWED[part] | {"__init__"}:
                broken.append(f"{file}:{line}: `{part}` must not import `{imported}`")
    assert not broken, "\n".join(broken)


def test_capture_and_uplink_meet_only_in_the_outbox() -> None:
    for one, other in (("capture", "uplink"), ("uplink", "capture")):
        for file in (ROOT / "trap" / one).rglob("*.py"):
            assert f"firmware.trap.{other}" not in file.read_text(), f"{file} imports {other}"


def test_hardware_libraries_are_imported_only_inside_their_adapter() -> None:
    for file in ROOT.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                tops = {name.split(".")[0] for name in names}
                assert not tops & {"picamera2", "libcamera", "lgpio"}, f"{file}:{node.lineno}"
