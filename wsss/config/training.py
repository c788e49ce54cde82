"""What every training has: a network, an optimization, an augmentation.

The defaults are those published for the ordinary classifier on VOC 2012. A section with other published
values derives its own.
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wsss.config.section import Fault, Section, repeated

# Keys whose default another section changes.
BackboneName = Annotated[
    str,
    Field(
        min_length=1,
        description="timm model name, or `resnet50_caffe` (ResNet-50 as released for Caffe, published for "
        "PoolNet; `weights` must then be a file)",
    ),
]
OptimizerName = Annotated[
    Literal["sgd", "momentum", "adam", "adamw"],
    Field(description="`sgd` is SGD without momentum; `momentum` is SGD with Nesterov momentum 0.9"),
]
LearningRate = Annotated[
    float, Field(gt=0, description="initial learning rate of the pretrained weights; new layers: see below")
]
WeightDecay = Annotated[float, Field(ge=0, description="weight decay")]
BiasDecay = Annotated[bool, Field(description="apply weight decay to biases, too")]
PolyPower = Annotated[
    float,
    Field(ge=0, description="exponent p of the polynomial decay lr·(1 − step/steps)^p; 0 keeps lr constant"),
]
HeadLrMult = Annotated[float, Field(gt=0, description="learning rate of new layers, as a multiple of `lr`")]
BiasLrMult = Annotated[
    float, Field(gt=0, description="learning rate of biases, as a multiple of that of the weights")
]
Epochs = Annotated[int, Field(ge=1, description="number of epochs")]
Batch = Annotated[
    int, Field(ge=1, description="images per batch, over all GPUs or processes of the training together")
]
Accumulate = Annotated[
    int,
    Field(
        ge=1,
        description="batches whose gradients are accumulated for one optimizer step, across epochs; a rest "
        "at the end of the training makes none",
    ),
]
Reduction = Annotated[
    Literal["sum", "mean"], Field(description="accumulated gradients are summed or averaged")
]
Precision = Annotated[
    Literal["float32", "bf16", "fp16", "auto"],
    Field(
        description="floating-point precision; `bf16` and `fp16` are mixed precision; `auto` is bf16 on a "
        "GPU that has it, fp16 on an older one, float32 on a CPU"
    ),
]
MinSide = Annotated[
    int, Field(ge=16, description="random resizing: lower bound of the longer side, in pixels")
]
MaxSide = Annotated[
    int, Field(ge=16, description="random resizing: upper bound of the longer side, in pixels")
]
Color = Annotated[
    tuple[Literal["randaugment", "colorjitter", "clahe"], ...],
    Field(description="color augmentations, in this order; `randaugment` as in FixMatch (Sohn et al., 2020)"),
]
LabelSmoothing = Annotated[
    float, Field(ge=0, lt=1, description="label smoothing α: targets become (1 − α)·y + α/2")
]

#: timm's families whose channel attention has a batch norm over globally pooled features
POOLED_BATCH_NORM = ("resnest", "rexnet", "skresne")
#: what the batch of a training must be that trains such a batch norm
SEVERAL = "at least 2, as batch norm over pooled features needs several images"


class BackboneConfig(Section):
    """A pretrained backbone, frozen or with fixed batch norm."""

    backbone: BackboneName = "resnest269e"
    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="initial weights: `imagenet` (timm downloads them), `package` (an installed Python "
            "package contains them), `none` (random initialization), or the path of a file",
        ),
    ] = "imagenet"
    output_stride: Annotated[
        Literal[8, 16, 32], Field(description="stride of the backbone's last feature map, in pixels")
    ] = 16

    @property
    def pools_before_batch_norm(self) -> bool:
        """Whether the backbone has batch norm over globally pooled features, as ResNeSt's split attention."""
        return self.backbone.startswith(POOLED_BATCH_NORM)

    @property
    def single_image_remedies(self) -> dict[str, str]:
        """Keys that let no process train on a single image, with the value that would let it.

        Batch norm over globally pooled features has one value per image and channel: of one image there is no
        variance.
        """
        return {}


class NetworkConfig(BackboneConfig):
    """A backbone that is trained, and the layers on top of it."""

    norm: Annotated[
        Literal["normal", "fix"],
        Field(
            description="batch norm of the backbone: `normal` trains it, `fix` freezes its statistics and "
            "parameters"
        ),
    ] = "normal"
    freeze: Annotated[
        Literal["none", "stem", "stages", "all"],
        Field(
            description="frozen part of the backbone: none of it, the stem, the stem and all stages but the "
            "last (`stages`), or all of it"
        ),
    ] = "none"

    @property
    def single_image_remedies(self) -> dict[str, str]:
        trained = self.norm == "normal" and self.freeze != "all"
        return {"norm": "fix"} if trained and self.pools_before_batch_norm else {}


class EmaConfig(Section):
    """An exponential moving average (EMA) of the weights, which the training then saves."""

    decay: Annotated[float, Field(gt=0, lt=1, description="decay of the average, per update")] = 0.99
    every: Annotated[
        int,
        Field(
            ge=1,
            description="optimizer steps between two updates of the average; the last is always averaged",
        ),
    ] = 32
    warmup_epochs: Annotated[float, Field(ge=0, description="epochs before the average starts")] = 1.0


class OptimizationConfig(Section):
    """How the weights are optimized (published: 15 epochs of plain SGD with polynomial decay)."""

    optimizer: OptimizerName = "sgd"
    lr: LearningRate = 0.1
    weight_decay: WeightDecay = 1e-4
    bias_decay: BiasDecay = False
    poly_power: PolyPower = 0.9
    head_lr_mult: HeadLrMult = 10.0
    bias_lr_mult: BiasLrMult = 2.0
    epochs: Epochs = 15
    batch: Batch = 32
    accumulate: Accumulate = 1
    reduction: Reduction = "sum"
    precision: Precision = "float32"
    max_grad_norm: Annotated[
        float | None, Field(gt=0, description="gradient clipping: largest norm; null: no clipping")
    ] = None
    ema: Annotated[
        EmaConfig | None,
        Field(
            description="EMA of the weights; `{}` uses the defaults below, null saves the weights themselves"
        ),
    ] = None
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**32,
            description="seed of the new layers, the image order and the augmentation; unless set, the run's "
            "`seed`",
        ),
    ] = 0


class CropConfig(Section):
    """Geometric augmentation of a training image: random resizing, horizontal flip, random crop."""

    crop: Annotated[
        int, Field(ge=16, description="side of the square crop, in pixels; smaller images are padded")
    ] = 512
    min_side: MinSide = 320
    max_side: MaxSide = 640

    def faults(self) -> Iterable[Fault]:
        if self.min_side > self.max_side:
            yield Fault("min_side", f"at most max_side, which is {self.max_side}")


class ColorCropConfig(CropConfig):
    """Geometric and color augmentation of a training image; its label map gets the geometric one, too."""

    color: Color = ("randaugment",)

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        yield from repeated("color", self.color)


class AugmentationConfig(ColorCropConfig):
    """Augmentation of a training image with image-level labels."""

    mix: Annotated[
        Literal["none", "mixup", "cutmix", "cutormixup"],
        Field(description="mixing of two training images and their labels"),
    ] = "none"
    mix_probability: Annotated[float, Field(ge=0, le=1, description="share of the images that are mixed")] = (
        1.0
    )


class TrainingConfig(Section):
    """What all sections of a training have."""

    #: whether it takes the run's `network`
    shares_network: ClassVar[bool] = True

    network: BackboneConfig = BackboneConfig()
    optimisation: OptimizationConfig = OptimizationConfig()

    @property
    def images_per_process(self) -> int:
        """How many images of a batch each process of the training needs at least."""
        return 2 if self.network.single_image_remedies else 1

    def faults(self) -> Iterable[Fault]:
        remedies = self.network.single_image_remedies.items()
        if remedies and self.optimisation.batch == 1:
            instead = " and ".join(f"{{section}}network.{key} to {value}" for key, value in remedies)
            yield Fault("optimisation.batch", f"{SEVERAL}; or set {instead}")


class ClassifierConfig(TrainingConfig):
    """Training of a classifier: what `oc` and `priors` share."""

    network: NetworkConfig = NetworkConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    label_smoothing: LabelSmoothing = 0.1
