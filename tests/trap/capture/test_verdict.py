"""Fusion and thresholds, on scores alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.trap.capture.camera import Frame, Rgb
from firmware.trap.capture.verdict import Judge, Look, Scores, is_black

LABELS = ("leopard", "tiger", "deer", "dog", "empty", "human", "vehicle")
LIMITS = {"leopard": 0.5, "tiger": 0.6, "human": 0.5, "vehicle": 0.5, "other": 0.5}
JUDGE = Judge(LABELS, frozenset({"human", "vehicle"}), LIMITS)


def scores(human: float = 0.01, vehicle: float = 0.01, **animals: float) -> Scores:
    """The named exclusive labels; what is missing to 1 is shared among the others."""
    rest = (1 - sum(animals.values())) / (5 - len(animals))
    return np.array([animals.get(name, rest) for name in LABELS[:5]] + [human, vehicle])


LEOPARD, EMPTY, DEER = scores(leopard=0.95), scores(empty=0.98), scores(deer=0.9)


def test_one_clear_frame_is_believed() -> None:
    verdict = JUDGE.verdict([[LEOPARD]])
    assert (verdict.label, verdict.individuals, verdict.reason) == ("leopard", 1, "")
    assert verdict.confidence == verdict.leopard == pytest.approx(0.95, abs=0.01)


def test_a_crop_that_shows_the_animal_outweighs_the_whole_frame_that_does_not() -> None:
    assert JUDGE.verdict([[EMPTY, LEOPARD]]).label == "leopard"


def test_frames_that_the_animal_has_left_do_not_outvote_the_one_that_shows_it() -> None:
    assert JUDGE.verdict([[LEOPARD], [EMPTY], [EMPTY]]).label == "leopard"


def test_a_doubtful_crop_in_an_empty_frame_is_dampened() -> None:
    doubtful = scores(leopard=0.6, empty=0.3)
    assert JUDGE.verdict([[doubtful]]).label == "leopard"
    assert JUDGE.verdict([[EMPTY, doubtful]]).label != "leopard"


def test_views_that_contradict_each_other_are_thin_evidence() -> None:
    verdict = JUDGE.verdict([[scores(deer=0.49, dog=0.44)], [scores(deer=0.44, dog=0.49)]])
    assert (verdict.label, verdict.reason) == ("uncertain", "thin_evidence")
    assert verdict.confidence < 0.5 and verdict.individuals == 0


def test_each_label_has_its_own_threshold() -> None:
    assert JUDGE.verdict([[scores(tiger=0.55)]]).label == "uncertain"
    assert JUDGE.verdict([[scores(tiger=0.65)]]).label == "tiger"
    assert JUDGE.verdict([[scores(deer=0.55)]]).label == "deer"
    low = Judge(LABELS, JUDGE.independent, LIMITS | {"leopard": 0.1})
    assert low.verdict([[scores(leopard=0.2, deer=0.7)]]).label == "leopard"


def test_a_person_beside_a_dog_is_a_person() -> None:
    verdict = JUDGE.verdict([[scores(dog=0.95, human=0.8)]])
    assert (verdict.label, verdict.people, verdict.individuals) == ("human", True, 0)


def test_one_frame_with_a_person_makes_the_burst_a_persons() -> None:
    assert JUDGE.verdict([[EMPTY], [scores(empty=0.9, human=0.9)], [EMPTY]]).label == "human"


def test_the_likelier_of_person_and_vehicle_names_the_burst() -> None:
    assert JUDGE.verdict([[scores(empty=0.9, human=0.7, vehicle=0.9)]]).label == "vehicle"


def test_a_leopard_beside_a_person_is_an_alert_and_says_people() -> None:
    verdict = JUDGE.verdict([[scores(leopard=0.9, human=0.9)]])
    assert (verdict.label, verdict.people) == ("leopard", True)


def test_nothing_usable_is_uncertain_with_a_reason() -> None:
    verdict = JUDGE.verdict([])
    assert (verdict.label, verdict.confidence, verdict.reason) == (
        "uncertain", 0.0, "no_usable_frame",
    )  # fmt: skip


def test_black_and_unsettled_frames_are_not_shown_to_the_model() -> None:
    black, grey = np.zeros((90, 160, 3), np.uint8), np.full((90, 160, 3), 90, np.uint8)
    asked: list[int] = []

    def score(views: object) -> list[Scores]:
        asked.append(1)
        return [LEOPARD]

    look = Look(score, JUDGE)
    look.add(Frame(b"", black, 0, True))
    look.add(Frame(b"", grey, 0, True, settled=False))
    assert look.verdict(()).reason == "no_usable_frame" and not asked
    look.add(Frame(b"", grey, 0, True))
    assert look.verdict(()).label == "leopard"
    assert asked == [1] and look.black == 1


def test_a_single_vague_picture_is_looked_at_in_parts_and_a_clear_one_is_not() -> None:
    grey = np.full((90, 160, 3), 90, np.uint8)
    for whole, part, asked, label in (
        (EMPTY, LEOPARD, 7, "leopard"),
        (EMPTY, EMPTY, 7, "empty"),
        (DEER, LEOPARD, 1, "deer"),
    ):
        seen: list[Scores] = []

        def score(views: Sequence[Rgb]) -> list[Scores]:
            # Six parts come together; only the fourth of them shows something else.
            answer = [EMPTY] * 3 + [part] + [EMPTY] * 2 if len(views) == 6 else [whole]  # noqa: B023
            seen.extend(answer)  # noqa: B023
            return answer

        look = Look(score, JUDGE)
        look.add(Frame(b"", grey, 0, True))
        assert look.verdict(()).label == label
        assert len(seen) == asked


def test_a_vague_burst_is_looked_at_in_parts_of_its_least_empty_frame() -> None:
    greys = [np.full((90, 160, 3), level, np.uint8) for level in (90, 91, 92)]
    asked: list[int] = []
    parts_of: set[int] = set()

    def score(views: Sequence[Rgb]) -> list[Scores]:
        asked.append(len(views))
        if len(views) == 6:
            parts_of.update(int(view[0, 0, 0]) for view in views)
            return [EMPTY] * 5 + [LEOPARD]
        return [scores(empty=0.7, leopard=0.2) if view[0, 0, 0] == 91 else EMPTY for view in views]

    look = Look(score, JUDGE)
    for grey in greys:
        look.add(Frame(b"", grey, 0, True))
    assert look.verdict(()).label == "leopard"
    assert asked == [1, 1, 1, 6] and parts_of == {91}


def test_a_clear_burst_is_not_looked_at_in_parts() -> None:
    grey, asked = np.full((90, 160, 3), 90, np.uint8), []

    def score(views: Sequence[Rgb]) -> list[Scores]:
        asked.append(len(views))
        return [DEER] * len(views)

    look = Look(score, JUDGE)
    for _ in range(3):
        look.add(Frame(b"", grey, 0, True))
    assert look.verdict(()).label == "deer"
    assert asked == [1, 1, 1]


def test_a_dark_frame_with_two_eyes_in_it_is_not_black() -> None:
    night = np.full((108, 192), 2, np.float32)
    assert is_black(night)
    night[30:48, 60:90] = 40
    assert not is_black(night)


@given(st.lists(st.lists(st.floats(0.0001, 1), min_size=7, max_size=7), min_size=1, max_size=6))
def test_fused_scores_are_probabilities_whatever_the_views(rows: list[list[float]]) -> None:
    views = np.array(rows)
    views[:, :5] /= views[:, :5].sum(axis=1, keepdims=True)
    verdict = JUDGE.verdict([[view] for view in views])
    assert sum(verdict.scores[name] for name in LABELS[:5]) == pytest.approx(1)
    assert all(0 <= score <= 1 for score in verdict.scores.values())
    assert verdict == JUDGE.verdict([[view] for view in views])
