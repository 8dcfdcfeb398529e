"""Camtrap DP and COCO Camera Traps become the same examples as our own manifest."""

import json
from pathlib import Path

import pytest

from models.foreign import read_camtrap_dp, read_coco_camera_traps, taxa
from models.manifest import Box


def test_camtrap_dp_gives_labels_boxes_and_one_group_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "media.csv").write_text(
        "mediaID,deploymentID,filePath\nm1,camA,a/1.jpg\nm2,camA,a/2.jpg\nm3,camB,b/3.jpg\n"
    )
    (tmp_path / "observations.csv").write_text(
        "observationID,mediaID,observationType,scientificName,bboxX,bboxY,bboxWidth,bboxHeight\n"
        "o1,m1,animal,Panthera pardus,0.1,0.2,0.3,0.4\n"
        "o2,m2,blank,,,,,\n"
        "o3,m3,animal,Sus scrofa,,,,\n"
        "o4,m3,animal,Rara avis,,,,\n"
    )
    first, second, third = read_camtrap_dp(tmp_path)
    assert (first.label, first.boxes) == ("leopard", (Box(0.1, 0.2, 0.3, 0.4),))
    assert (second.label, second.scene_group) == ("empty", first.scene_group)
    assert (third.label, third.path) == ("wild_boar", tmp_path / "b/3.jpg")


def test_a_folder_without_its_tables_is_refused_with_the_name_of_the_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"media\.csv"):
        read_camtrap_dp(tmp_path)


def test_coco_boxes_become_fractions_and_an_image_of_two_species_is_left_out(
    tmp_path: Path,
) -> None:
    content = {
        "categories": [{"id": 1, "name": "AmurLeopard"}, {"id": 2, "name": "RoeDeer"}],
        "images": [
            {"id": "i1", "file_name": "1.jpg", "width": 200, "height": 100, "location": "A"},
            {"id": "i2", "file_name": "2.jpg", "width": 200, "height": 100, "location": "A"},
        ],
        "annotations": [
            {"image_id": "i1", "category_id": 1, "bbox": [20, 10, 100, 50]},
            {"image_id": "i1", "category_id": 1, "bbox": [0, 0, 20, 10]},
            {"image_id": "i2", "category_id": 1},
            {"image_id": "i2", "category_id": 2},
        ],
    }
    path = tmp_path / "cct.json"
    path.write_text(json.dumps(content))
    (only,) = read_coco_camera_traps(path, tmp_path)
    assert only.label == "leopard"
    assert only.boxes == (Box(0.1, 0.1, 0.5, 0.5), Box(0.0, 0.0, 0.1, 0.1))


def test_the_leopard_is_known_with_and_without_its_subspecies() -> None:
    assert taxa()["Panthera pardus"] == taxa()["Panthera pardus orientalis"] == "leopard"
