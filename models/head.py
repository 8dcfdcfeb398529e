"""Our outputs on the network of the starting file.

Promises a head whose rows start from what ImageNet knows of the label, so that nothing has to be
learnt from nothing.
"""

import copy
from pathlib import Path

import torch

from models.backbone import MobileNet, build
from models.labels import LABEL_TABLE

LIKE_A_RACCOON_DOG = (278, 363)  # red fox and badger: ImageNet has no raccoon dog


def put_head(network: MobileNet) -> None:
    """Replaces the 1,001-class head by ours, each row the mean of its ImageNet rows."""
    weight, bias = network.head.weight.data, network.head.bias.data
    network.head = copy.deepcopy(network.head)
    rows = [list(label.imagenet or LIKE_A_RACCOON_DOG) for label in LABEL_TABLE]
    network.head.weight = torch.nn.Parameter(torch.stack([weight[r].mean(0) for r in rows]))
    network.head.bias = torch.nn.Parameter(torch.stack([bias[r].mean(0) for r in rows]))


def load_trained(start: Path, weights: Path) -> MobileNet:
    """The network with our head and the trained weights."""
    network = build(start)
    put_head(network)
    network.load_state_dict(torch.load(weights, map_location="cpu"))
    return network.eval()
