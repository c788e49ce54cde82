"""The plan of a run as a table in Markdown, for a terminal and the documentation."""

from collections.abc import Sequence

from wsss.plan.cards import CONTEXT, FRAGMENTS, Card
from wsss.plan.stage_plans import StagePlan

COLUMNS = (
    "stage",
    "arithmetic",
    "batch per GPU",
    "GPU memory",
    "fits",
    "hours",
    "loader cores",
    "files",
    "disk",
)


def table(planned: Sequence[StagePlan], card: Card) -> str:
    """A line per stage and one for all. card: that the plans are for."""
    lines = [COLUMNS, ("---", "---", *["---:"] * (len(COLUMNS) - 2))]
    lines += [_line(plan, card) for plan in planned]
    gpu = sum(plan.hours for plan in planned if plan.on_gpu)
    core = sum(plan.hours for plan in planned if not plan.on_gpu)
    files, size = sum(plan.files for plan in planned), sum(plan.size for plan in planned)
    lines.append(
        (
            "together",
            "",
            "",
            "",
            "",
            f"{gpu:.1f} + {core:.1f} core hours",
            "",
            f"{files:,}",
            f"{size / 1e9:.1f} GB",
        )
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def notes(card: Card, gpus: int) -> str:
    """How the numbers came about, and that none was measured on a GPU."""
    several = f"{gpus} GPUs" if gpus > 1 else "one GPU"
    return (
        f"{several}, {card.title}. Nothing here was measured on a GPU. Memory and traffic are computed from "
        "the tensors of a step without fusion. Hours are lower bounds: the slower of traffic at "
        f"{card.bandwidth / 1e12:.2f} TB/s and arithmetic at {card.half / 1e12:.0f} (half) or "
        f"{card.single / 1e12:.0f} (single) TFLOPS, as the maker states, without waiting for images and "
        f"without validation. Of the memory, {CONTEXT / 2**30:.1f} GiB for libraries and {FRAGMENTS:.0%} for "
        "fragments are assumed. Seconds of cores were measured."
    )


def _line(plan: StagePlan, card: Card) -> tuple[str, ...]:
    disk = f"{plan.size / 1e9:.1f} GB"
    if not plan.on_gpu:
        return (
            f"`{plan.stage}`",
            "core",
            "",
            "",
            "",
            f"{plan.hours:.1f} on a core",
            "",
            f"{plan.files:,}",
            disk,
        )
    memory = f"{plan.memory / 2**30:.1f} of {card.usable / 2**30:.1f} GiB"
    fits = "yes" if plan.fits == plan.batch else f"with {plan.fits}" if plan.fits else "no"
    hours = f"{plan.hours:.1f}" if plan.hours >= 0.05 else "< 0.1"
    return (
        f"`{plan.stage}`",
        plan.precision,
        str(plan.batch),
        memory,
        fits,
        hours,
        f"{plan.cores:.0f}" if plan.cores >= 1 else "< 1",
        f"{plan.files:,}",
        disk,
    )
