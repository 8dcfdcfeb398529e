"""What each image should make the network say (needs the training extra)."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from models.labels import EMPTY, EXCLUSIVE_COUNT, FOLDER_TO_LABEL, LABELS, LEOPARD
from models.manifest import Example
from models.measure import Array
from models.targets import cat_photos, consult, grouped, grouped_all, targets_of, telling

OTHER = LABELS.index("other_animal")
LEOPARD_IMAGENET, JAGUAR, CHEETAH = 289, 291, 294


def example(folder: str, source: str, camera_trap: bool = False) -> Example:
    return Example(
        Path(f"{folder}.jpg"), folder, FOLDER_TO_LABEL[folder], "train", camera_trap, "g", source,
        "", "", (),
    )  # fmt: skip


def says(**shares: float) -> Array:
    """A teacher's 1,001 probabilities; what is missing to 1 is no animal."""
    numbers = {"leopard": LEOPARD_IMAGENET, "jaguar": JAGUAR, "cheetah": CHEETAH}
    result = np.zeros(1001, np.float32)
    for name, value in shares.items():
        result[numbers[name]] = value
    result[0] = 1 - sum(shares.values())
    return result


EXAMPLES = [
    example("leopard", "zoo"), example("jaguar", "zoo"), example("jaguar", "slides"),
    example("other_felid", "slides"), example("leopard", "forest", camera_trap=True),
]  # fmt: skip
ANSWERS = np.stack([
    says(leopard=0.8, jaguar=0.1), says(leopard=0.7), says(leopard=0.6, jaguar=0.2),
    says(leopard=0.9), says(leopard=0.1),
])  # fmt: skip


def test_only_known_look_alikes_of_a_source_without_leopards_are_telling() -> None:
    assert telling(EXAMPLES).tolist() == [False, False, True, False, False]
    assert cat_photos(EXAMPLES).tolist() == [True, True, True, True, False]


def test_a_telling_look_alike_gets_the_teachers_own_answer_and_others_their_label() -> None:
    targets = targets_of(EXAMPLES, ANSWERS)
    exclusive = targets.ours[:, :EXCLUSIVE_COUNT]
    assert torch.allclose(exclusive.sum(1), torch.ones(len(EXAMPLES)), atol=1e-5)
    assert exclusive.argmax(1).tolist() == [LEOPARD, OTHER, LEOPARD, OTHER, LEOPARD]
    assert float(exclusive[2, LEOPARD]) == pytest.approx(0.75, abs=0.03)
    assert float(exclusive[2, EMPTY]) < 0.01  # the picture is known to show an animal
    assert targets.asked.tolist() == [True, True, False, True, False]


def test_the_teacher_is_heard_on_a_view_only_where_it_agrees_with_the_label() -> None:
    wanted = targets_of(EXAMPLES, ANSWERS).of(torch.tensor([0, 1, 4]), torch.device("cpu"))
    before = wanted.ours.clone()
    answers = np.stack([says(leopard=0.5, jaguar=0.3), says(leopard=0.9)])  # to 0 and 1
    consult(wanted, torch.from_numpy(answers))
    share = float(wanted.ours[0, OTHER])
    assert 0.1 < share < 0.3 and int(wanted.ours[0, :EXCLUSIVE_COUNT].argmax()) == LEOPARD
    assert torch.equal(wanted.ours[1:], before[1:])
    assert float(wanted.fine[0, JAGUAR]) == pytest.approx(0.3)
    assert float(wanted.fine[1, JAGUAR]) == 1  # its folder's class stays


def test_groups_of_many_are_the_groups_of_each() -> None:
    many = grouped_all(torch.from_numpy(ANSWERS)).numpy()
    assert np.allclose(many, np.stack([grouped(answer) for answer in ANSWERS]), atol=1e-6)
