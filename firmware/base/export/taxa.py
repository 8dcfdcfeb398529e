"""Our labels as biologists write them. Labels of several species have the name that covers all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Taxon:
    """`classification`: class, order, family, genus, as far as the name goes."""

    name: str
    rank: str
    english: str
    classification: tuple[str, ...] = ()

    def part(self, rank: str) -> str:
        """The name at `class`, `order`, `family` or `genus`; empty where it goes less far."""
        at = RANKS.index(rank)
        return self.classification[at] if at < len(self.classification) else ""


RANKS = ("class", "order", "family", "genus")
_CARNIVORE = ("Mammalia", "Carnivora")
_UNGULATE = ("Mammalia", "Artiodactyla")
_CAT, _DOG = (*_CARNIVORE, "Felidae"), (*_CARNIVORE, "Canidae", "Canis")
_MARTEN, _DEER = (*_CARNIVORE, "Mustelidae"), (*_UNGULATE, "Cervidae")
_BEAR = (*_CARNIVORE, "Ursidae", "Ursus")

TAXA: dict[str, Taxon] = {
    "leopard": Taxon("Panthera pardus orientalis", "subspecies", "Amur leopard",
                     (*_CAT, "Panthera")),
    "tiger": Taxon("Panthera tigris altaica", "subspecies", "Amur tiger", (*_CAT, "Panthera")),
    "small_cat": Taxon("Felidae", "family", "small cat", _CAT),
    "lynx": Taxon("Lynx lynx", "species", "Eurasian lynx", (*_CAT, "Lynx")),
    "leopard_cat": Taxon("Prionailurus bengalensis", "species", "leopard cat",
                         (*_CAT, "Prionailurus")),
    "domestic_cat": Taxon("Felis catus", "species", "domestic cat", (*_CAT, "Felis")),
    "bear": Taxon("Ursus", "genus", "bear", _BEAR),
    "brown_bear": Taxon("Ursus arctos", "species", "brown bear", _BEAR),
    "black_bear": Taxon("Ursus thibetanus", "species", "Asian black bear", _BEAR),
    "wild_boar": Taxon("Sus scrofa", "species", "wild boar", (*_UNGULATE, "Suidae", "Sus")),
    "deer": Taxon("Artiodactyla", "order", "deer", _UNGULATE),
    "roe_deer": Taxon("Capreolus pygargus", "species", "Siberian roe deer", (*_DEER, "Capreolus")),
    "sika_deer": Taxon("Cervus nippon", "species", "sika deer", (*_DEER, "Cervus")),
    "musk_deer": Taxon("Moschus moschiferus", "species", "Siberian musk deer",
                       (*_UNGULATE, "Moschidae", "Moschus")),
    "goral": Taxon("Naemorhedus caudatus", "species", "long-tailed goral",
                   (*_UNGULATE, "Bovidae", "Naemorhedus")),
    "fox": Taxon("Vulpes vulpes", "species", "red fox", (*_CARNIVORE, "Canidae", "Vulpes")),
    "raccoon_dog": Taxon("Nyctereutes procyonoides", "species", "raccoon dog",
                         (*_CARNIVORE, "Canidae", "Nyctereutes")),
    "wolf": Taxon("Canis lupus", "species", "grey wolf", _DOG),
    "dog": Taxon("Canis lupus familiaris", "subspecies", "domestic dog", _DOG),
    "badger_marten": Taxon("Mustelidae", "family", "badger or marten", _MARTEN),
    "badger": Taxon("Meles leucurus", "species", "Asian badger", (*_MARTEN, "Meles")),
    "marten": Taxon("Martes", "genus", "marten", (*_MARTEN, "Martes")),
    "sable": Taxon("Martes zibellina", "species", "sable", (*_MARTEN, "Martes")),
    "weasel": Taxon("Mustela", "genus", "weasel", (*_MARTEN, "Mustela")),
    "otter": Taxon("Lutra lutra", "species", "Eurasian otter", (*_MARTEN, "Lutra")),
    "hare": Taxon("Lepus", "genus", "hare", ("Mammalia", "Lagomorpha", "Leporidae", "Lepus")),
    "squirrel": Taxon("Sciuridae", "family", "squirrel", ("Mammalia", "Rodentia", "Sciuridae")),
    "livestock": Taxon("Mammalia", "class", "livestock", ("Mammalia",)),
    "horse": Taxon("Equus caballus", "species", "horse",
                   ("Mammalia", "Perissodactyla", "Equidae", "Equus")),
    "cattle": Taxon("Bos taurus", "species", "cattle", (*_UNGULATE, "Bovidae", "Bos")),
    "bird": Taxon("Aves", "class", "bird", ("Aves",)),
    "other_animal": Taxon("Animalia", "kingdom", "animal"),
}  # fmt: skip
