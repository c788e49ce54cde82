"""What starts without torch, which takes seconds to import: CRFs, evaluations, reports, help of commands."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = (
    "workflow.scripts.refine_saliency",
    "workflow.scripts.make_affinity_labels",
    "workflow.scripts.evaluate_cams",
    "workflow.scripts.evaluate_labels",
    "workflow.scripts.evaluate_saliency",
    "workflow.scripts.report_miou",
    "workflow.scripts.draw_labels",
    "wsss.crf",
    "wsss.labels",
    "wsss.commands.doctor",
)


@pytest.mark.parametrize("argument", ["--help", *WITHOUT_TORCH])
def test_it_starts_without_torch(argument: str) -> None:
    start = f"from importlib import import_module; import_module({argument!r})"
    if argument == "--help":
        start = "from wsss.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    program = f"import sys\n{start}\nassert 'torch' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_inference_has_its_names_although_they_are_imported_late() -> None:
    """Also after the modules of the same things were imported."""
    import wsss.inference.walks  # noqa: F401
    from wsss import inference

    assert all(callable(getattr(inference, name)) for name in inference.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inference.nothing
