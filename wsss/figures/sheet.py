"""Contact sheets: rows of small pictures in one PNG."""

from pathlib import Path

import cv2
import numpy as np

from wsss.files import write_png

#: space between pictures, px, and its colour
GAP, PAPER = 4, 255


def fit(picture: np.ndarray, side: int) -> np.ndarray:
    """Shrink or enlarge an RGB picture (H, W, 3) uint8 into a square of this side, on paper colour."""
    scale = side / max(picture.shape[:2])
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    square = np.full((side, side, 3), PAPER, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=method)
    return square


def caption(tile: np.ndarray, text: str) -> None:
    """Write a line of text onto the lower edge of a picture, in place, readable on any ground."""
    place, font = (3, tile.shape[0] - 5), cv2.FONT_HERSHEY_SIMPLEX
    for colour, width in ((0, 3), (255, 1)):
        cv2.putText(tile, text, place, font, 0.36, (colour,) * 3, width, cv2.LINE_AA)


def write_sheet(path: Path, rows: list[list[np.ndarray]], *, per_line: int = 1) -> None:
    """Write rows of equally sized pictures (S, S, 3) as one PNG, `per_line` rows side by side."""
    lines = [
        np.concatenate([_row(row) for row in rows[start : start + per_line]], axis=1)
        for start in range(0, len(rows), per_line)
    ]
    width = max(line.shape[1] for line in lines)
    lines = [np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0)), constant_values=PAPER) for line in lines]
    write_png(path, np.concatenate(lines, axis=0))


def _row(tiles: list[np.ndarray]) -> np.ndarray:
    padded = [np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=PAPER) for tile in tiles]
    return np.pad(np.concatenate(padded, axis=1), ((0, 0), (0, 3 * GAP), (0, 0)), constant_values=PAPER)
