"""Every language says everything, and nothing that no page asks for."""

import re
import string
from pathlib import Path
from typing import get_args

import pytest

from firmware.base import dashboard
from firmware.base.dashboard.roles import ROLES
from firmware.base.dashboard.visit import THEMES
from firmware.base.dashboard.words import LANGUAGES, choose, load_words
from firmware.base.survey.statements import ACTIONS, AGES, SEXES
from firmware.wire.alert import SPECIES
from firmware.wire.records import Clock, State

FOLDER = Path(dashboard.__file__).parent
WORDS = load_words()
MADE = {  # keys that code puts together, and what it puts in
    "role.": ROLES, "theme.": THEMES, "species.": SPECIES, "clock.": get_args(Clock),
    "state.": get_args(State), "road.": ("radio", "card"), "shot.": ("frame", "preview"),
    "sex.": SEXES[1:], "age.": AGES[1:], "act.": ACTIONS,
    "unit.": ("battery", "disk", "queue"), "frame.": ("done", "refused", "taken", "kept"),
}  # fmt: skip


def used() -> set[str]:
    text = "".join(
        file.read_text() for file in (*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py"))
    )
    known = set(WORDS["en"].texts)
    plain = {key for key in re.findall(r"""["']([a-z]+\.[a-z_]+)["']""", text) if key in known}
    asked = set(re.findall(r"""\bt\(["']([a-z]+\.[a-z_]+)["']""", text))
    made = {prefix + name for prefix, names in MADE.items() for name in names}
    return plain | asked | made


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_same_keys_and_holes_as_english(language: str) -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, other = WORDS["en"].texts, WORDS[language].texts
    assert other.keys() == english.keys()
    for key, text in other.items():
        assert text.strip() and holes(text) == holes(english[key]), key


def test_every_key_is_used_and_every_used_key_exists() -> None:
    assert used() == set(WORDS["en"].texts)


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_a_translation_is_one(language: str) -> None:
    same = {key for key, text in WORDS[language].texts.items() if text == WORDS["en"].texts[key]}
    assert not same


def test_templates_hold_no_words_of_their_own() -> None:
    for file in FOLDER.glob("templates/*.html"):
        text = re.sub(r"\{[{%#].*?[}%#]\}|<[^>]*>", "\n", file.read_text(), flags=re.DOTALL)
        words = set(re.findall(r"[A-Za-z]{3,}", text)) - {"Rosette", "UTC"}
        assert not words, (file.name, words)


def test_the_language_is_the_one_chosen_or_the_first_that_the_browser_knows() -> None:
    assert choose("zh", "ru") == "zh"
    assert choose(None, "fr-FR, ru;q=0.8, en;q=0.5") == "ru"
    assert choose("klingon", "zh-CN") == "zh"
    assert choose(None, "") == choose(None, ";;,,") == "en"
