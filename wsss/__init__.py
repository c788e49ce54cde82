"""Weakly supervised semantic segmentation from image-level labels: the P-NOC chain as a library."""

__version__ = "0.1.0"
