"""The documents are true: commands, config keys, make targets and links exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from firmware.base.gateway.settings import GatewaySettings
from firmware.base.settings import BaseSettings
from firmware.cli import main
from firmware.config import describe, load
from firmware.trap.settings import TrapSettings

ROOT = Path(__file__).parent.parent
DOCS = sorted(p for p in ROOT.rglob("*.md") if not {".venv", "node_modules"} & set(p.parts))
README = (ROOT / "README.md").read_text()


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))
    else:
        yield path


def find(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    command = find(path)
    assert command.help
    assert (command.epilog or "").startswith(f"Example: rosette {' '.join(path)}")


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_is_in_the_readme(path: tuple[str, ...]) -> None:
    group, last = " ".join(path[:-1]), path[-1]
    row = rf"\| `rosette {group} ?{last}\b" if group else rf"\| `rosette {last}\b"
    shared = rf"\| `rosette {group} [^|]*`{last}`"
    assert re.search(row, README) or (group and re.search(shared, README))


@pytest.mark.parametrize("document", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_line_in_a_document_parses(document: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL):
        for line in re.findall(r"(?:^|/)rosette ([a-z][^#\n]*)", block, re.MULTILINE):
            words = tuple(word for word in line.split() if word.isalpha())
            command: click.Command = main
            for word in words:
                if isinstance(command, click.Group):
                    assert word in command.commands, f"rosette {line}: no command {word!r}"
                    command = command.commands[word]
            for option in re.findall(r"--[a-z-]+", line):
                known = {o for p in command.params for o in p.opts}
                assert option in known, f"rosette {line}: no option {option}"


@pytest.mark.parametrize("document", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(), re.MULTILINE):
        assert target in targets


@pytest.mark.parametrize("document", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_resolves(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize(
    ("sample", "kind"),
    [("trap.toml", TrapSettings), ("base.toml", BaseSettings), ("gateway.toml", GatewaySettings)],
)
def test_the_sample_configs_are_good_and_name_every_key(sample: str, kind: type) -> None:
    file = ROOT / "deploy" / sample
    load(file, kind)
    text = file.read_text()
    for path, meaning in describe(kind):
        if path.startswith("lora.lorawan.") and kind is GatewaySettings:
            continue  # a unit's; a gateway refuses it
        key = path.split(".")[-1]
        assert re.search(rf"^#? ?(\[{re.escape(path)}\]|{key} =)", text, re.MULTILINE), path
        assert meaning, f"{path} has no help"


def test_every_python_file_opens_with_a_docstring_and_stays_short() -> None:
    for file in ROOT.glob("firmware/**/*.py"):
        lines = file.read_text().splitlines()
        assert lines and lines[0].startswith('"""'), f"{file} has no docstring"
        assert len(lines) <= 340, f"{file} has {len(lines)} lines: split it"
