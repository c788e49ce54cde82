"""From networks and images to maps, and from maps to scores: test-time augmentation, CAMs, random walk."""

from wsss.inference.random_walk import random_walk

__all__ = ["random_walk"]
