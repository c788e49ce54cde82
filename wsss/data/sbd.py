"""Masks of the Semantic Boundaries Dataset (Hariharan et al., 2011) as it gives them out: MATLAB files."""

from pathlib import Path

import numpy as np

from wsss.errors import UserError

#: suffix of such a file
MAT = ".mat"


def read_sbd(path: str | Path) -> np.ndarray:
    """Read the class mask of dataset/cls/<id>.mat: uint8 (H, W), 0 background, 1..20 VOC's classes.

    SBD marks no pixel as void. Raises UserError naming the file when it is another.
    """
    # Imported here: it takes a while, and few data sets have such masks.
    from scipy.io import loadmat

    try:
        with open(path, "rb") as file:
            mask = loadmat(file, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0]
    except FileNotFoundError:
        raise UserError(f"{path}: no such mask; unpack SBD again") from None
    except Exception as error:  # a damaged file can raise nearly anything
        raise UserError(f"{path}: no mask of SBD, which has GTcls.Segmentation ({error})") from None
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.uint8:
        raise UserError(f"{path}: GTcls.Segmentation must be uint8 (H, W)")
    return mask
