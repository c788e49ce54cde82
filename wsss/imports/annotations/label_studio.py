"""Label Studio's JSON: choices, brush masks, polygons and boxes of every task that someone has submitted."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.errors import UserError
from wsss.imports.annotations.entry import Annotations, Entry, inside, painted
from wsss.store.files import read_json

#: kinds of results with an outline, by the key of their labels
OUTLINES, BOXES = ("brushlabels", "polygonlabels"), ("rectanglelabels", "ellipselabels", "keypointlabels")
_LENGTHS, _HEADER = 4, 32 + 5 + 16


def is_label_studio(found: Any) -> bool:
    """Whether JSON is of Label Studio's form."""
    return bool(isinstance(found, list) and found) and all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in found
    )


def read_label_studio(path: Path) -> Annotations:
    """Read an export (JSON). Of a task, the last annotation counts that was not canceled.

    A task that nobody has submitted says nothing; an empty annotation says "nothing of these". Raises
    UserError naming the task that does not fit.
    """
    found = read_json(path)
    if not is_label_studio(found):
        raise UserError(f"{path}: not an export of Label Studio; export as JSON")
    submitted = [(task, _submitted(task)) for task in found]
    results = [results for _, results in submitted if results is not None]
    names = (label for each in results for result in each for label in _labels(result))
    classes = tuple(dict.fromkeys(names))
    entries = [
        _entry(f"{path}: task {task.get('id', number)}", task, results, classes)
        for number, (task, results) in enumerate(submitted, 1)
        if results is not None
    ]
    return Annotations("Label Studio", classes, tuple(entries), len(found) - len(entries))


def _submitted(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    made = task.get("annotations") or task.get("completions") or []
    kept = [each for each in made if not each.get("was_cancelled")]
    return kept[-1].get("result", []) if kept else None


def _labels(result: Mapping[str, Any]) -> list[str]:
    value = result.get("value", {})
    return [str(label) for key in (*OUTLINES, *BOXES, "choices") for label in value.get(key, ())]


def _entry(
    what: str, task: Mapping[str, Any], results: Sequence[Mapping[str, Any]], classes: tuple[str, ...]
) -> Entry:
    data = task["data"]
    image = data.get("wsss_id") or data.get("image") or next((str(each) for each in data.values()), "")
    labels = tuple(dict.fromkeys(label for result in results for label in _labels(result)))
    shapes, size = [], None
    try:
        for result in results:
            if result.get("type") in OUTLINES:
                size = int(result["original_height"]), int(result["original_width"])
                shapes.append((classes.index(_labels(result)[0]) + 1, _shape(result["value"])))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(f"{what}: a result does not fit ({error}); export it again") from None
    shown = [result for result in results if result.get("type") in (*OUTLINES, *BOXES)]
    outlined = len(shapes) == len(shown) and (bool(shapes) or not labels)
    stated = any(result.get("type") == "choices" for result in results)
    return Entry(str(image), labels, painted(shapes) if outlined else None, size, stated=stated)


def _shape(value: Mapping[str, Any]) -> Callable[[tuple[int, int]], np.ndarray]:
    if "points" in value:
        points = np.asarray(value["points"], float)
        return lambda size: inside(points * np.array(size[::-1]) / 100, size)
    runs = value["rle"]
    return lambda size: decoded(runs, size)


def decoded(packed: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """The mask bool (H, W) of Label Studio's run lengths, see `wsss.exports.formats.label_studio.encode`.

    Raises UserError where they are of another size.
    """
    bits = np.unpackbits(np.asarray(packed, np.uint8))
    text = bits.tobytes().translate(bytes([48, 49]) + bytes(254)).decode("ascii")
    count, word = int(text[:32], 2), int(text[32:37], 2) + 1
    lengths = [int(text[37 + 4 * n : 41 + 4 * n], 2) + 1 for n in range(_LENGTHS)]
    if count != 4 * size[0] * size[1]:
        raise UserError(f"a brush mask of {count // 4} pixels in a photograph of {size[1]} x {size[0]}")
    values, at, done = np.zeros(count, np.uint8), _HEADER, 0
    while done < count:
        repeated, bits_of = text[at] == "1", lengths[int(text[at + 1 : at + 3], 2)]
        at += 3
        run = int(text[at : at + bits_of], 2) + 1
        at += bits_of
        if repeated:
            values[done : done + run] = int(text[at : at + word], 2)
            at += word
        else:
            singles = [int(text[at + n * word : at + (n + 1) * word], 2) for n in range(run)]
            values[done : done + run] = singles[: count - done]
            at += run * word
        done += run
    return values.reshape(*size, 4)[..., 3] > 127
