"""Makes the index of a split: every image and mask is decoded once, and every fault is told at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import category, normalize

from wsss.data.checks import Checked, check_files, upright
from wsss.data.index import Index, Record, raise_faults
from wsss.data.mask_agreement import mask_faults, tell_masks
from wsss.data.mask_form import MaskForm, mask_form
from wsss.data.palette import voc_palette
from wsss.metrics import IGNORE
from wsss.progress import track
from wsss.store.files import atomic_directory, write_png

#: checking fewer images than this is over before a progress bar helps
PROGRESS_FROM = 1000


@dataclass(frozen=True)
class Checking:
    """How a split is checked.

    mask_values, masks_orientation: the form of its masks, as the configuration says it. masks_to: directory
    for masks that are converted to class values or turned upright; None: they are only checked. threads: that
    decode. progress: whether a bar is shown.
    """

    mask_values: Mapping[str, str] | Path | None = None
    masks_orientation: str = "auto"
    masks_to: Path | None = None
    threads: int = 1
    progress: bool = True


def build_index(
    records: Iterable[Record],
    classes: Sequence[str],
    split: str,
    *,
    digest: str = "",
    faults: Iterable[str] = (),
    checking: Checking | None = None,
    unpainted: Collection[str] = (),
) -> Index:
    """Check every image of a split once and make its index.

    Decodes each image and each mask once. `faults` are what the data set's reader has found already; they are
    reported together with what is found here: images or masks that do not decode, masks of another size than
    their image or with values other than 0..C and 255, ids that occur twice, labels that are not among
    `classes`, a labeled class that no mask shows (but for those `unpainted`), masks without a pixel that
    counts. Raises one UserError with all.
    """
    checking = checking or Checking()
    form = mask_form(checking.mask_values, classes, orientation=checking.masks_orientation)
    wrong = [*faults, *_class_faults(classes)]
    records = tuple(records)
    if not records:
        wrong.append("the split has no images")
    known = frozenset(classes)
    checked = _check(records, known, form, split, checking)
    pairs = list(zip(records, checked, strict=True))
    for record, found in pairs:
        unknown = [label for label in record.labels if label not in known]
        wrong += [f"{record.id}: unknown class {label!r}{_meant(label, known)}" for label in unknown]
        wrong += [f"{record.id}: {fault}" for fault in found.faults]
    wrong += _name_faults(records)
    wrong += mask_faults(pairs, classes, form, unpainted)
    raise_faults(f"split {split}", wrong)
    tell_masks(pairs, split, form)
    if checking.masks_to is not None:
        records = _converted(pairs, form, checking.masks_to)
    sizes = (found.header.upright for found in checked if found.header)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    return Index(records, tuple(classes), split, digest, largest)


def _check(
    records: Sequence[Record], known: frozenset[str], form: MaskForm, split: str, checking: Checking
) -> list[Checked]:
    """Pillow decodes without Python's lock, so threads share the work."""

    def one(record: Record) -> Checked:
        return check_files(record.image, record.mask, known, form)

    shown = checking.progress and len(records) >= PROGRESS_FROM
    pool = ThreadPoolExecutor(max(1, checking.threads))
    try:
        found = pool.map(one, records) if checking.threads > 1 else map(one, records)
        return list(track(found, label=f"checking {split}", total=len(records), enabled=shown))
    finally:
        pool.shutdown(cancel_futures=True)


def _converted(
    pairs: Sequence[tuple[Record, Checked]], form: MaskForm, directory: Path
) -> tuple[Record, ...]:
    """The records, with masks in class values and upright; those that are so already stay where they are."""

    def stays(record: Record, found: Checked) -> bool:
        return record.mask is None or (form.plain and found.turn == 1)

    if all(stays(record, found) for record, found in pairs) and not directory.exists():
        return tuple(record for record, _ in pairs)
    made = []
    with atomic_directory(directory) as part:
        for record, found in pairs:
            if record.mask is None or stays(record, found):
                made.append(record)
                continue
            values = upright(form.read(record.mask), found.turn)
            write_png(part / f"{record.id}.png", values, voc_palette())
            made.append(replace(record, mask=directory / f"{record.id}.png"))
    if not any(directory.iterdir()):
        directory.rmdir()
    return tuple(made)


def _class_faults(classes: Sequence[str]) -> list[str]:
    faults = [
        f"class {name!r}: names may not hold ';' or be empty" for name in classes if not name or ";" in name
    ]
    if len(set(classes)) < len(classes):
        faults.append("a class is named twice")
    alike: dict[str, str] = {}
    for name in dict.fromkeys(classes):
        first = alike.setdefault(_visible(name), name)
        if first != name:
            faults.append(f"classes {first!r} and {name!r} differ by case or blanks only; write them alike")
        if control := next((sign for sign in name if category(sign) in ("Cc", "Cs")), None):
            faults.append(f"class {name!r}: holds {control!r}, which is no text; remove it")
    if not 1 <= len(classes) < IGNORE:
        faults.append(f"{len(classes)} classes; a mask can tell 1 to {IGNORE - 1}")
    return faults


def _visible(name: str) -> str:
    """A name without case, blanks and signs that are not shown, such as zero-width spaces."""
    shown = (sign for sign in normalize("NFKC", name) if category(sign) != "Cf" and not sign.isspace())
    return "".join(shown).casefold()


def _name_faults(records: Sequence[Record]) -> Iterator[str]:
    """Ids that occur twice, and names that are no text."""
    seen: dict[str, Path] = {}
    for record in records:
        if record.id in seen:
            files = {seen[record.id], record.image}
            where = f" ({' and '.join(sorted(map(str, files)))})" if len(files) > 1 else ""
            yield f"{record.id}: occurs twice{where}; every id may occur once"
        seen[record.id] = record.image
        try:
            f"{record.id}{record.image}{record.mask}".encode()
        except UnicodeEncodeError:
            yield f"{record.id!a}: its file's name is not UTF-8; rename it"


def _meant(label: str, known: frozenset[str]) -> str:
    near = [name for name in known if name.casefold() == label.casefold()]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"; known are {', '.join(sorted(known))}{hint}"
