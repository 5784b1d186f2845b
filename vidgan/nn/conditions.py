"""How a class gets into networks: beside the latent of a generator, and by projection into a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassBesideLatent(nn.Module):
    """z [B, D] and labels [B] -> [B, D * 2], an embedding of the class beside z; [B, D] without classes."""

    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, latent_dim) if num_classes else None
        self.dim = latent_dim * (2 if num_classes else 1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Labels are int64, and ignored without classes."""
        return z if self.embedding is None else torch.cat([z, self.embedding(labels)], dim=1)


class ProjectionHead(nn.Module):
    """Features [B, F] and labels [B] -> logits float32 [B]. Miyato and Koyama 2018.

    The class's embedding is multiplied with the features and added to their logit.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.logit = nn.Linear(num_features, 1)
        self.embedding = nn.Embedding(num_classes, num_features) if num_classes else None

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """In float32, whatever autocast says: what is left of the logits here is all that losses see."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            logits = self.logit(features)[:, 0]
            if self.embedding is not None:
                logits = logits + (self.embedding(labels) * features).sum(1) / features.shape[1] ** 0.5
        return logits
