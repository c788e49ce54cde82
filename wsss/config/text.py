"""The words of a prior that is not trained but told what to look for, by the text tower of a CLIP.

Published values: CLIP-ES (Lin et al., CVPR 2023), for VOC 2012.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from wsss.config.section import Fault, Section, repeated

Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class TextConfig(Section):
    """Class names, prompts and background words, and the text tower that encodes them."""

    model: Annotated[
        str,
        Field(
            min_length=1, description="open_clip's name of the CLIP whose image tower is `network.backbone`"
        ),
    ] = "ViT-B-16-quickgelu"
    pretrained: Annotated[
        str | None,
        Field(description="open_clip's name of the weights of `model`, or a file; null: random weights"),
    ] = "openai"
    prompts: Annotated[Words, Field(description="sentences with {} where the name of a class goes")] = (
        "a clean origami {}.",
    )
    synonyms: Annotated[
        dict[str, Words],
        Field(description="by class, the names to encode in place of the class's own; their mean is used"),
    ] = {}  # noqa: RUF012 pydantic copies it
    background: Annotated[
        Words, Field(description="words of the background, which compete with the classes of an image")
    ] = (
        *("ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea"),
        *("railway", "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road", "rock"),
        *("street", "valley", "bridge", "sign"),
    )
    vectors: Annotated[
        Path | None,
        Field(
            description="file of text vectors of the same classes, `models/text.safetensors` of a run, to "
            "use in place of the text tower"
        ),
    ] = None

    def faults(self) -> Iterable[Fault]:
        yield from repeated("background", self.background)
        if wrong := [prompt for prompt in self.prompts if prompt.count("{}") != 1]:
            yield Fault("prompts", f"sentences with one {{}} each, unlike {wrong[0]!r}")
