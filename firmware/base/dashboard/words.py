"""What the pages say, in every language: one catalogue `words/<language>.toml` each, with the same
keys. A key that a catalogue lacks is a bug (tested), not something to guess."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {"en": "English", "ru": "Русский", "zh": "中文"}
DEFAULT = "en"


@dataclass(frozen=True)
class Words:
    """One language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values)

    def named(self, kind: str, name: str) -> str:
        """The word for a name that came from outside, or the name itself: a newer unit may know
        species that this base does not."""
        return self.texts.get(f"{kind}.{name}", name.replace("_", " "))


def load_words() -> dict[str, Words]:
    """All catalogues."""
    return {
        language: Words(language, _flat(tomllib.loads((FOLDER / f"{language}.toml").read_text())))
        for language in LANGUAGES
    }


def choose(asked: str | None, accepted: str) -> str:
    """The language asked for, or the first one that the browser accepts and we have."""
    if asked in LANGUAGES:
        return asked
    for part in accepted.split(",")[:20]:
        language = part.split(";")[0].strip()[:2].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
