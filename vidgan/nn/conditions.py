"""How class and shot get into networks: beside the latent of a generator, and by projection into a discriminator.

The clips of a class come from a few shots, each of which looks its own way: clothes, walls, light. Networks that are
told which shot a clip is of learn these looks one by one; told the class alone, they begin with one between them all.

Nobody has to choose a shot: z says to which of its class a take belongs. The first numbers of z are votes, one for each
shot of the class, and the largest wins. So every shot has as many seeds as the others, z stays unit normal, and between
two looks there is a way. Shots are numbered through all classes; `shots` is everywhere the class of each, and empty
where networks are not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidgan.config import Config

# Weights of a class's shots are the softmax of so many times their votes: nearly always one shot's alone.
VOTE_SHARPNESS = 16.0

# Added to the votes of other classes' shots.
NO_VOTE = -1e4


def shots_to_tell(config: Config, labels: Sequence[int]) -> tuple[int, ...]:
    """The class of each shot if networks are to be told which one a clip is of, else none. `labels` are all classes.

    Not where there is nothing to tell, since no class has more than one; nor where a class has more shots than z has
    numbers; nor of single pictures, of which each is a shot.
    """
    most = max(Counter(labels).values(), default=0)
    told = config.model.tell_shots and config.data.num_frames > 1 and not config.repairs
    return tuple(labels) if told and 1 < most <= config.model.content_dim else ()


def shots_of_latents(z: Tensor, labels: Tensor, shots: Sequence[int]) -> Tensor:
    """The numbers of the shots that takes belong to: z [B, D] and classes int64 [B], 0 without any -> int64 [B]."""
    return _votes(z, labels, torch.tensor(shots, device=z.device), _places(shots).to(z.device)).argmax(1)


class BesideLatent(nn.Module):
    """z [B, D] and labels [B] -> [B, dim]: z, and beside it an embedding of the class and one of the shot, if any."""

    def __init__(self, latent_dim: int, num_classes: int, shots: Sequence[int] = ()) -> None:
        """Without classes, all `shots` are of class 0."""
        super().__init__()
        self.embedding = nn.Embedding(num_classes, latent_dim) if num_classes else None
        self.shots = nn.Embedding(len(shots), latent_dim) if shots else None
        self.dim = latent_dim * (1 + bool(num_classes) + bool(shots))
        self.register_buffer("classes", torch.tensor(shots, dtype=torch.long), persistent=False)
        self.register_buffer("places", _places(shots), persistent=False)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Labels are classes, int64, and ignored where there is one for all. The scale of z does not change its shot,
        only how sharp it is."""
        inputs = [z]
        if self.embedding is not None:
            inputs.append(self.embedding(labels))
        if self.shots is not None:
            inputs.append(self.weights(z, labels) @ self.shots.weight)
        return torch.cat(inputs, dim=1)

    def weights(self, z: Tensor, labels: Tensor) -> Tensor:
        """How much a take is of each shot: [B, number of shots], which are 1 together and 0 for those of other classes.

        Of a class that had no shot in training, one of the others.
        """
        labels = torch.zeros_like(labels) if self.embedding is None else labels
        return (VOTE_SHARPNESS * _votes(z, labels, self.classes, self.places)).softmax(1)


class ProjectionHead(nn.Module):
    """Features [B, F] and what is told of their clips [B] -> logits float32 [B]. Miyato and Koyama 2018.

    Told are the numbers of shots if there are `shots`, else classes, which are ignored if there are none. Their
    embeddings are multiplied with the features and added to their logit.
    """

    def __init__(self, num_features: int, num_classes: int, shots: Sequence[int] = ()) -> None:
        super().__init__()
        self.logit = nn.Linear(num_features, 1)
        self.embedding = nn.Embedding(num_classes, num_features) if num_classes else None
        self.shots = nn.Embedding(len(shots), num_features) if shots else None
        self.register_buffer("classes", torch.tensor(shots, dtype=torch.long), persistent=False)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """In float32, whatever autocast says: what is left of the logits here is all that losses see."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            logits, wanted = self.logit(features)[:, 0], []
            if self.embedding is not None:
                wanted.append(self.embedding(told if self.shots is None else self.classes[told]))
            if self.shots is not None:
                wanted.append(self.shots(told))
            if wanted:
                logits = logits + (sum(wanted) * features).sum(1) / features.shape[1] ** 0.5
        return logits


def _votes(z: Tensor, labels: Tensor, classes: Tensor, places: Tensor) -> Tensor:
    """For each shot, [B, number of shots]; next to none for those of other classes."""
    return z[:, places] + NO_VOTE * (classes != labels[:, None])


def _places(shots: Sequence[int]) -> Tensor:
    """Where each shot's vote stands among those of its class, int64 [number of shots]."""
    seen: Counter[int] = Counter()
    places = []
    for label in shots:
        places.append(seen[label])
        seen[label] += 1
    return torch.tensor(places, dtype=torch.long)
