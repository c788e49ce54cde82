"""Whether the masks of a split agree with its image-level labels: what no mask shows cannot be scored."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from wsss.data.checks import Checked
from wsss.data.index import Record
from wsss.data.mask_form import MaskForm
from wsss.metrics import IGNORE
from wsss.progress import LOGGER

SHOWN = 10
Pairs = Sequence[tuple[Record, Checked]]


def mask_faults(
    pairs: Pairs, classes: Sequence[str], form: MaskForm, unpainted: Collection[str] = ()
) -> Iterator[str]:
    """Labeled classes that no mask shows, but for those `unpainted`; and masks of ignored pixels only.

    A score over such masks means nothing: where all is ignored, an empty prediction is right everywhere.
    """
    masked = [(record, found) for record, found in pairs if found.values and not found.faults]
    if not masked:
        return
    held = frozenset().union(*(found.values for _, found in masked))
    if held == {IGNORE}:
        yield f"the masks hold {IGNORE} (ignored) only: no pixel can be scored{_hint(held, classes, form)}"
        return
    if IGNORE in held and held <= {0, IGNORE} and not any(record.labels for record, _ in masked):
        yield f"the masks show no class: they hold {_shown(held)}{_hint(held, classes, form)}"
    labeled = Counter(label for record, _ in masked for label in record.labels if label in classes)
    missing = [name for name in classes if labeled[name] and classes.index(name) + 1 not in held]
    missing = [name for name in missing if name not in unpainted]
    for name in missing[:SHOWN]:
        yield (
            f"class {name!r} (mask value {classes.index(name) + 1}) occurs in no mask, though "
            f"{labeled[name]} of the images with a mask are labeled so; "
            f"the masks hold {_shown(held)}{_hint(held, classes, form)}"
        )
    if len(missing) > SHOWN:
        yield f"and {len(missing) - SHOWN} more classes"


def tell_masks(pairs: Pairs, split: str, form: MaskForm) -> None:
    """Say which masks were taken in which orientation, and which have no pixel that counts."""
    turned = [record.id for record, found in pairs if found.turn != 1]
    both = [record.id for record, found in pairs if found.both]
    void = [record.id for record, found in pairs if found.values == {IGNORE}]
    if turned:
        LOGGER.info(
            "%s: %d masks are in the orientation of the file and are turned as their photographs are (EXIF)",
            *(split, len(turned)),
        )
    if form.orientation == "auto":
        tell_both(both, split)
    if void:
        LOGGER.warning(
            "%s: %d masks hold %d (ignored) only and count in no score: %s",
            *(split, len(void), IGNORE, _some(void)),
        )


def tell_both(ids: Sequence[str], where: str) -> None:
    """Say that the masks of some images fit in two orientations, and how to settle it."""
    if ids:
        LOGGER.warning(
            "%s: %d masks fit their photograph (EXIF orientation) both as shown and as stored, and are taken "
            "as shown: %s. If they were drawn on the stored pixels, set dataset.masks_orientation: stored "
            "(wsss init: --masks-orientation stored); else seen, which ends this message",
            *(where, len(ids), _some(ids)),
        )


def _hint(held: Collection[int], classes: Sequence[str], form: MaskForm) -> str:
    """What to do, by what the masks hold."""
    if form.plain and len(classes) == 1 and IGNORE in held and set(held) <= {0, IGNORE}:
        table = f"{{0: background, {IGNORE}: {classes[0]}}}"
        return (
            f". {IGNORE} means ignored: if it is the object, set dataset.mask_values: {table} "
            f"(wsss init: --mask-values 0=background,{IGNORE}={classes[0]})"
        )
    return (
        ". Correct the labels, the masks or the order of the classes, or say with dataset.mask_values which "
        "value is which class"
    )


def _shown(held: Collection[int]) -> str:
    return ", ".join(map(str, sorted(held)[:SHOWN])) + (" …" if len(held) > SHOWN else "")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (" …" if len(ids) > SHOWN else "")
