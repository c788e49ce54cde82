"""The configuration: what is refused and how it is said, and what is taken."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from wsss.config import (
    AugmentationConfig,
    EmaConfig,
    EvaluationConfig,
    MaskCrfConfig,
    OcConfig,
    PriorsConfig,
    RunConfig,
    ShapesDataset,
)
from wsss.config.document import document_text, parse_document
from wsss.errors import UserError
from wsss.runs.run import load_run

SHAPES = "dataset: {kind: shapes}\n"


def config_of(tmp_path: Path, text: str) -> RunConfig:
    """The configuration of a run with this file."""
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    return load_run("run", tmp_path).config


def faults_of(tmp_path: Path, text: str) -> list[str]:
    """The lines of the message that refuses a run with this file; the first one says which file."""
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, text)
    return str(caught.value).split("\n")


# --- what is refused ---

FAULTS = {
    "out of bounds": ("oc: {optimisation: {lr: -1}}", "oc.optimisation.lr = -1: must be number > 0"),
    "upper bound": ("oc: {label_smoothing: 1}", "oc.label_smoothing = 1: must be number ≥ 0 and < 1"),
    "text for a number": (
        "oc: {optimisation: {lr: fast}}",
        'oc.optimisation.lr = "fast": must be number > 0',
    ),
    "quoted number": ("oc: {optimisation: {lr: '0.1'}}", 'oc.optimisation.lr = "0.1": must be number > 0'),
    "fraction for an integer": (
        "oc: {optimisation: {epochs: 1.5}}",
        "oc.optimisation.epochs = 1.5: must be integer ≥ 1",
    ),
    "float for an integer": (
        "oc: {optimisation: {batch: 8.0}}",
        "oc.optimisation.batch = 8.0: must be integer ≥ 1",
    ),
    "boolean for a number": (
        "oc: {optimisation: {lr: true}}",
        "oc.optimisation.lr = true: must be number > 0",
    ),
    "number for a boolean": ("cams: {flip: 1}", "cams.flip = 1: must be true | false"),
    "infinity": ("oc: {optimisation: {lr: .inf}}", "oc.optimisation.lr = Infinity: must be number > 0"),
    "overflow": ("oc: {optimisation: {lr: 1e999}}", "oc.optimisation.lr = Infinity: must be number > 0"),
    "not a number": (
        "oc: {optimisation: {weight_decay: .nan}}",
        "oc.optimisation.weight_decay = NaN: must be number ≥ 0",
    ),
    "unknown choice": (
        "priors: {method: pnok}",
        'priors.method = "pnok": must be vanilla | puzzle | occse | poc | pnoc',
    ),
    "unknown number": (
        "oc: {network: {output_stride: 4}}",
        "oc.network.output_stride = 4: must be 8 | 16 | 32",
    ),
    "nothing for a number": ("oc: {optimisation: {lr: }}", "oc.optimisation.lr = null: must be number > 0"),
    "item of a list": (
        "cams: {scales: [1, 0]}",
        "cams.scales = 0: must be list of (number > 0 and ≤ 4), at least one",
    ),
    "empty list": (
        "cams: {scales: []}",
        "cams.scales = []: must be list of (number > 0 and ≤ 4), at least one",
    ),
    "value for a list": (
        "cams: {scales: 1}",
        "cams.scales = 1: must be list of (number > 0 and ≤ 4), at least one",
    ),
    "value for a section": (
        "evaluation: 3",
        "evaluation = 3: must be a section with threshold_from, threshold_to",
    ),
    "value for an optional section": (
        "oc: {optimisation: {ema: 3}}",
        "oc.optimisation.ema = 3: must be a section or null",
    ),
    "key of an optional section": (
        "oc: {optimisation: {ema: {decay: 2}}}",
        "oc.optimisation.ema.decay = 2: must be number > 0 and < 1",
    ),
    "unknown section": (
        "prior: {}",
        "prior: unknown key; did you mean priors? (known: extends, seed, seeds, dataset, network, oc,",
    ),
    "unknown key": (
        "evaluation: {treshold_to: 1}",
        "evaluation.treshold_to: unknown key; did you mean threshold_to? (known: threshold_from,",
    ),
    "key of a deeper section": (
        "oc: {lr: 1}",
        "oc.lr: unknown key; did you mean oc.optimisation.lr? (known: network,",
    ),
    "key that resembles none": (
        "cams: {zzz: 1}",
        "cams.zzz: unknown key (known: scales, flip, precision, shards",
    ),
    "key that is no text": ("cams: {1: 1}", "cams.1: unknown key"),
    "merge key": ("cams: &a {}\noc: {<<: *a}", "oc.<<: unknown key"),
    "tagged bytes": (
        "oc: {optimisation: {lr: !!binary aGk=}}",
        "oc.optimisation.lr = \"b'hi'\": must be number > 0",
    ),
    "date": ("oc: {optimisation: {lr: 2020-02-31}}", 'oc.optimisation.lr = "2020-02-31": must be number > 0'),
    "min above max": (
        "oc: {augmentation: {min_side: 700}}",
        "oc.augmentation.min_side = 700: must be at most max_side, which is 640",
    ),
    "max below min": (
        "oc: {augmentation: {max_side: 300}}",
        "oc.augmentation.min_side = 320, its default: must be at most max_side, which is 300",
    ),
    "odd CAM": (
        "priors: {augmentation: {crop: 500}}",
        "priors.augmentation.crop = 500: must be a multiple of 32 (",
    ),
    "nine pieces": (
        "priors: {puzzle: {pieces: 9}}",
        "priors.augmentation.crop = 512, its default: must be a multiple of 48 (",
    ),
    "falling ramp": (
        "priors: {erasing: {weight: 0.1}}",
        "priors.erasing.weight_from = 0.3, its default: must be at most weight, which is 0.1",
    ),
    "falling sweep": (
        "evaluation: {threshold_to: 0.01}",
        "evaluation.threshold_from = 0.05, its default: must be at most threshold_to",
    ),
    "repeated": (
        "cams: {scales: [1, 1.0]}",
        "cams.scales = [1, 1.0]: must be a list without repeated values",
    ),
    "repeated color": (
        "oc: {augmentation: {color: [clahe, clahe]}}",
        'oc.augmentation.color = ["clahe", "clahe"]: must be a list without',
    ),
    "repeated term": (
        "priors: {puzzle: {terms: [tiles, tiles]}}",
        'priors.puzzle.terms = ["tiles", "tiles"]: must be a list without',
    ),
    "crop of no whole edges": (
        "affinity: {training: {augmentation: {crop: 510}}}",
        "affinity.training.augmentation.crop = 510: must be a multiple of 4, the stride of the edge map",
    ),
    "crop without pairs": (
        "affinity: {training: {augmentation: {crop: 64}}}",
        "affinity.training.augmentation.crop = 64: must be at least 76, to contain a pair of radius 10",
    ),
    "affinity labels that leave nothing open": (
        "affinity: {labels: {bg_threshold: 0.4}}\nsaliency: {method: none}",
        "affinity.labels.bg_threshold = 0.4: must be below fg_threshold, which is 0.4, in a run without",
    ),
    "source of labels": (
        "segmentation: {labels: masks}",
        'segmentation.labels = "masks": must be pseudo | ground_truth',
    ),
    "twice": ("cams: {flip: true, flip: false}", "cams.flip: duplicate key, first in line 2"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_fault_names_file_line_key_value_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    head, fault = faults_of(tmp_path, SHAPES + text)
    assert head == f"{tmp_path}/run.yaml: 1 fault"
    place, said = fault.strip().split(": ", 1)
    assert place.startswith(f"{tmp_path}/run.yaml:")
    assert said.startswith(message)


KINDS = "voc or coco or folder or shapes"
DATASET_FAULTS = {
    "none": ("oc: {}", "dataset: missing; must be a section with kind, root, val_labels, with_masks,"),
    "no kind": ("dataset: {seed: 1}", f"dataset.kind: missing; must be {KINDS}"),
    "unknown kind": ("dataset: {kind: cocoa}", f'dataset.kind = "cocoa": must be {KINDS}'),
    "kind of another type": ("dataset: {kind: [voc]}", f'dataset.kind = ["voc"]: must be {KINDS}'),
    "no section": ("dataset: voc", 'dataset = "voc": must be a section with kind'),
    "no root": ("dataset: {kind: voc}", "dataset.root: missing; must be path"),
    "split": (
        "dataset: {kind: voc, root: d, val: ../x}",
        'dataset.val = "../x": must be text like ^[A-Za-z0-9_-]+$',
    ),
    "key of another kind": (
        "dataset: {kind: voc, root: d, seed: 1}",
        "dataset.seed: unknown key (known: kind, root, val_labels, with_masks, mask_values, "
        "masks_orientation, negatives, allow_overlap, train, val, archives)",
    ),
}


@pytest.mark.parametrize(("text", "message"), DATASET_FAULTS.values(), ids=DATASET_FAULTS)
def test_faults_of_the_data_set(tmp_path: Path, text: str, message: str) -> None:
    _, fault = faults_of(tmp_path, text)
    assert fault.startswith(f"  {tmp_path}/run.yaml:1: {message}")


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
priors:
  method: best
oc:
  augmentation:
    min_side: 700
  optimisation:
    lr: -1
    epoch: 3
    lr: 0.1
evaluation:
  threshold_from: 2
"""
    head, *faults = faults_of(tmp_path, text)
    assert head.endswith("run.yaml: 6 faults")
    said = [fault.split(": ")[0:2] for fault in faults]
    assert [(place.rsplit(":", 1)[1], key.split(" ")[0]) for place, key in said] == [
        ("1", "dataset"),
        ("2", "priors.method"),
        ("5", "oc.augmentation.min_side"),
        ("8", "oc.optimisation.epoch"),
        ("9", "oc.optimisation.lr"),
        ("11", "evaluation.threshold_from"),
    ]


def test_long_values_are_cut(tmp_path: Path) -> None:
    _, fault = faults_of(tmp_path, SHAPES + f"cams: {'x' * 500}")
    assert len(fault) < 250 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "run.yaml:1: not valid YAML: "),
        ("a: !!python/object:os.system x", "run.yaml:1: not valid YAML: could not determine a constructor"),
        ("a: 1\n---\nb: 1", "run.yaml:2: not valid YAML: "),
        ("a: \x00", "run.yaml: cannot be read as YAML: "),
        ("a: &b [*b]", "run.yaml: an alias contains itself"),
        ("- a", "run.yaml: must be a mapping of keys to values"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in faults_of(tmp_path, text)[0]


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"a: \xff")
    with pytest.raises(UserError, match=r"run.yaml: cannot be read as YAML: .*utf-8"):
        load_run("run", tmp_path)


def test_an_empty_file_lacks_a_data_set(tmp_path: Path) -> None:
    assert "dataset: missing" in faults_of(tmp_path, "# nothing\n")[1]


# --- what is read and written ---


def test_texts_that_look_like_other_values_are_written_as_texts() -> None:
    names = [
        *("1e3", "0x1F", "010", "1_000", "1.5", ".nan", "1:30", "2020-01-31", "true", "yes", "on", "null"),
        *("~", "", " x", "a: b", "a #b", "#a", "- a", "*a", "&a", "!a", "%a", "@a", "<<", "=", "'", '"', "é"),
        *("a\nb", "\t", "?", "{a}", "[a]", "a,b", "|", ">", "x" * 300),
    ]
    values = {
        "classes": names,
        "images": "1e5",
        "lr": 5e-05,
        "one": 1,
        "on": True,
        "no": None,
        **dict.fromkeys(names, 1),
    }
    written = document_text(values)
    assert parse_document(written, "run.yaml").values == values
    assert list(parse_document(written, "run.yaml").values) == list(values)


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "1.e-3", "1.0e-3", "+.1e-2", "0.001"])
def test_exponents_are_numbers(tmp_path: Path, written: str) -> None:
    config = config_of(tmp_path, SHAPES + f"oc: {{optimisation: {{lr: {written}}}}}")
    assert config.oc.optimisation.lr == 0.001


def test_integers_are_numbers_and_lists_become_tuples(tmp_path: Path) -> None:
    text = (
        SHAPES
        + "oc: {optimisation: {lr: 1}, augmentation: {color: [clahe, randaugment]}}\ncams: {scales: [1, 2]}"
    )
    config = config_of(tmp_path, text)
    assert config.oc.optimisation.lr == 1.0
    assert config.oc.augmentation.color == ("clahe", "randaugment")
    assert config.cams.scales == (1.0, 2.0)


def test_an_empty_section_switches_the_moving_average_on(tmp_path: Path) -> None:
    config = config_of(tmp_path, SHAPES + "oc: {optimisation: {ema: {}}}")
    assert config.oc.optimisation.ema == EmaConfig(decay=0.99, every=32, warmup_epochs=1)
    assert config.priors.optimisation.ema is None


def test_a_key_leaves_the_other_defaults_of_its_section(tmp_path: Path) -> None:
    """The defaults of `priors` differ from those of `oc`, also when a section is given in part."""
    config = config_of(tmp_path, SHAPES + "priors: {optimisation: {lr: 0.2}, augmentation: {mix: cutmix}}")
    optimisation = config.priors.optimisation
    assert (optimisation.batch, optimisation.accumulate, optimisation.precision) == (16, 2, "fp16")
    assert config.priors.augmentation.color == ("colorjitter",)


def test_the_crop_is_free_without_tiles(tmp_path: Path) -> None:
    config = config_of(tmp_path, SHAPES + "priors: {method: occse, augmentation: {crop: 500}}")
    assert config.priors.augmentation.crop == 500


def test_sections_are_immutable_and_checked_from_python() -> None:
    oc = OcConfig()
    with pytest.raises(ValidationError, match="frozen"):
        oc.label_smoothing = 0.2
    with pytest.raises(ValidationError, match="min_side must be at most max_side"):
        AugmentationConfig(min_side=700)
    with pytest.raises(ValidationError, match="Extra inputs"):
        OcConfig.model_validate({"lr": 1})


@pytest.mark.parametrize(
    ("method", "regularizers", "uses_oc"),
    [
        ("vanilla", (), False),
        ("puzzle", ("puzzle",), False),
        ("occse", ("erasing",), True),
        ("poc", ("puzzle", "erasing"), True),
        ("pnoc", ("puzzle", "erasing", "noc"), True),
    ],
)
def test_what_a_method_reads(method: str, regularizers: tuple[str, ...], uses_oc: bool) -> None:
    priors = PriorsConfig.model_validate({"method": method})
    assert priors.regularizers == regularizers
    assert priors.uses_oc is uses_oc
    assert priors.unread() == {"puzzle", "erasing", "noc", "text"} - set(regularizers)


def test_published_sweep() -> None:
    thresholds = EvaluationConfig().thresholds
    assert len(thresholds) == 16
    assert thresholds == tuple(round(0.05 * step, 2) for step in range(1, 17))
    assert EvaluationConfig(threshold_from=0.5, threshold_to=0.5).thresholds == (0.5,)
    assert EvaluationConfig(threshold_from=0, threshold_to=1, threshold_step=0.3).thresholds == (
        0,
        0.3,
        0.6,
        0.9,
    )


def test_published_values() -> None:
    """A second list beside the models, for the numbers that the reference's runner for VOC 2012 uses."""
    config = RunConfig(dataset=ShapesDataset(kind="shapes"))
    oc, priors = config.oc, config.priors
    for training in (oc, priors):
        assert (training.network.backbone, training.network.output_stride) == ("resnest269e", 16)
        assert (training.optimisation.lr, training.optimisation.weight_decay) == (0.1, 1e-4)
        assert (training.optimisation.epochs, training.optimisation.reduction) == (15, "sum")
        size = training.augmentation
        assert (size.crop, size.min_side, size.max_side) == (512, 320, 640)
        assert training.label_smoothing == 0.1
    assert (oc.optimisation.batch, oc.optimisation.accumulate) == (32, 1)
    assert oc.augmentation.color == ("randaugment",)
    ramps = {name: getattr(priors, name) for name in priors.regularizers}
    assert {name: (ramp.weight_from, ramp.weight, ramp.ramp) for name, ramp in ramps.items()} == {
        "puzzle": (0, 4, 0.5),
        "erasing": (0.3, 1, 1),
        "noc": (0, 1, 1),
    }
    assert (priors.noc.mask, priors.noc.threshold, priors.noc.oc_gradient) == ("hard", 0.2, "none")


def test_published_values_of_the_last_stages() -> None:
    """As above, and the colors, batches and epochs of the first release where the two differ."""
    config = RunConfig(dataset=ShapesDataset(kind="shapes"))
    labels, affinity, walk = config.affinity.labels, config.affinity.training, config.affinity.walk
    assert (labels.fg_threshold, labels.bg_threshold) == (0.4, 0.1)
    assert (labels.iterations, labels.gt_prob) == (10, 0.7)
    steps = affinity.optimisation
    assert (steps.optimizer, steps.lr, steps.weight_decay, steps.epochs) == ("sgd", 0.1, 1e-4, 3)
    assert (steps.head_lr_mult, steps.bias_lr_mult, steps.bias_decay) == (1, 1, True)
    assert (steps.batch, steps.precision, affinity.radius) == (32, "float32", 10)
    assert (walk.beta, walk.steps, walk.radius, walk.side) == (10, 2**8, 5, 512)
    pseudo, training = config.segmentation.pseudo, config.segmentation.training
    assert (pseudo.threshold, pseudo.iterations, pseudo.gt_prob) == (0.3, 1, 0.9)
    steps = training.optimisation
    assert (steps.optimizer, steps.lr, steps.weight_decay, steps.epochs) == ("sgd", 0.007, 4e-5, 50)
    assert (steps.batch, steps.head_lr_mult, steps.bias_lr_mult) == (32, 10, 2)
    crop = training.augmentation
    assert (crop.crop, crop.min_side, crop.max_side, crop.color) == (512, 256, 1024, ())
    assert (training.network.head_norm, training.label_smoothing) == ("group", 0)
    masks = config.segmentation.masks
    assert (masks.scales, masks.flip) == ((0.5, 1, 1.5, 2), True)
    assert (masks.crf.kind, masks.crf.iterations) == ("deeplab", 10)


def test_the_crf_of_masks_reads_what_it_needs() -> None:
    assert MaskCrfConfig(gt_prob=0.5).differences() == {}
    assert MaskCrfConfig(kind="mixed", gt_prob=0.5).differences() == {"kind": "mixed", "gt_prob": 0.5}
