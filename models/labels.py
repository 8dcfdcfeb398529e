"""The label set, and how other people's classes map onto it.

Promises one order of labels (`LABELS`), the first 15 exclusive and the last two independent, and
a mapping from the frame folders, from the 17 NTLNP classes and from ImageNet's 1,001. Spotted
look-alikes and lions go to `other_animal`, so that the leopard output learns to reject them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """One output of the network."""

    name: str
    taxon: str
    folders: tuple[str, ...]  # folder names under the frames' images/
    imagenet: tuple[int, ...]  # line numbers in the 1,001-class label file


def _span(*pairs: tuple[int, int]) -> tuple[int, ...]:
    return tuple(i for first, last in pairs for i in range(first, last + 1))


_BIRDS = _span((8, 25), (81, 101), (128, 147))
_OTHER = _span(
    (103, 108), (277, 277), (287, 287), (290, 292), (294, 294), (299, 300), (334, 339), (345, 345),
    (348, 348), (350, 351), (355, 356), (364, 389),
)  # fmt: skip
_SCENES = (490, 717, 854, 913, 959, 971, 973, *_span((976, 981)))
_PEOPLE = (415, 609, 611, 653, 702, 796, 797, 835, 870, *_span((982, 984)))
_VEHICLES = (
    408, 437, 445, 469, 512, 570, 610, 628, 655, 657, 671, 676, 706, 718, 735, 752, 780, 803, 818,
    830, 865, 867, 868, 875,
)  # fmt: skip

LABEL_TABLE = (
    Label("leopard", "Panthera pardus orientalis", ("leopard",), (289,)),
    Label("tiger", "Panthera tigris altaica", ("tiger",), (293,)),
    Label(
        "small_cat",
        "Felidae: Prionailurus bengalensis, Lynx lynx, Felis catus",
        ("leopard_cat", "lynx", "domestic_cat"),
        (*_span((282, 286)), 288),
    ),
    Label(
        "bear",
        "Ursus thibetanus, Ursus arctos",
        ("black_bear", "brown_bear"),
        _span((295, 298)),
    ),
    Label("wild_boar", "Sus scrofa", ("wild_boar",), _span((342, 344))),
    Label(
        "deer",
        "Capreolus pygargus, Cervus nippon, Moschus moschiferus",
        ("roe_deer", "sika_deer", "musk_deer", "deer"),
        _span((352, 354)),
    ),
    Label("fox", "Vulpes vulpes", ("red_fox",), _span((278, 281))),
    Label("raccoon_dog", "Nyctereutes procyonoides", ("raccoon_dog",), ()),
    Label(
        "badger_marten",
        "Mustelidae: Meles leucurus, Martes zibellina, Martes flavigula, Mustela",
        ("badger", "sable", "yt_marten", "weasel"),
        _span((357, 363)),
    ),
    Label("hare", "Lepus mandshuricus", ("hare",), _span((331, 333))),
    Label(
        "dog",
        "Canis lupus familiaris and other Canis",
        ("dog", "wolf", "other_canid"),
        _span((152, 276)),
    ),
    Label("livestock", "Bos taurus, Equus caballus, Ovis aries", ("cow", "horse"),
          (340, 346, 347, 349)),
    Label("bird", "Aves", ("bird",), _BIRDS),
    Label(
        "other_animal",
        "any other animal, spotted look-alikes included",
        ("jaguar", "cheetah", "snow_leopard", "other_felid", "lion", "raccoon", "squirrel",
         "other_mammal", "other_camera_trap"),
        _OTHER,
    ),
    Label("empty", "no animal", ("empty",), _SCENES),
    Label("human", "Homo sapiens", ("human",), _PEOPLE),
    Label("vehicle", "motor vehicle", ("vehicle",), _VEHICLES),
)  # fmt: skip

LABELS = tuple(label.name for label in LABEL_TABLE)
INDEPENDENT = ("human", "vehicle")
EXCLUSIVE_COUNT = len(LABELS) - len(INDEPENDENT)
LEOPARD, EMPTY = LABELS.index("leopard"), LABELS.index("empty")
LOOK_ALIKES = ("jaguar", "cheetah", "snow_leopard", "other_felid", "leopard_cat")
FOLDER_TO_LABEL = {folder: label.name for label in LABEL_TABLE for folder in label.folders}

# Folders that are one ImageNet class: finer than our labels, learnt on the side.
FOLDER_TO_IMAGENET = {
    "leopard": 289, "snow_leopard": 290, "jaguar": 291, "lion": 292, "tiger": 293,
    "cheetah": 294, "brown_bear": 295, "black_bear": 296, "lynx": 288, "red_fox": 278,
    "hare": 332, "wild_boar": 343, "weasel": 357, "badger": 363,
}  # fmt: skip

# Northeast Tiger and Leopard National Park classes as spelt in that dataset.
NTLNP_TO_LABEL = {
    "AmurLeopard": "leopard", "AmurTiger": "tiger", "LeopardCat": "small_cat",
    "BlackBear": "bear", "Bear": "bear", "WildBoar": "wild_boar", "RoeDeer": "deer",
    "SikaDeer": "deer", "MuskDeer": "deer", "RedFox": "fox", "RaccoonDog": "raccoon_dog",
    "Badger": "badger_marten", "Sable": "badger_marten", "Y.T.Marten": "badger_marten",
    "Weasel": "badger_marten", "Hare": "hare", "Dog": "dog", "Cow": "livestock",
}  # fmt: skip
