"""What is installed is what is locked, nothing of CUDA without a GPU; the installer says what it lacks."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions, version
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INSTALLER = REPOSITORY / "tools" / "install.sh"
CUDA = re.compile(r"(nvidia|cuda|triton|cupy)\b")


def pins(*names: str) -> dict[str, str]:
    """Package and version of every line of the lock files `names`."""
    lines = [line for name in names for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines()]
    found = [
        re.fullmatch(r"([a-z0-9-]+)==([0-9][^+\s]*)", line) for line in lines if not line.startswith("#")
    ]
    assert all(found), "a line of the lock is not of the form name==version, without a build such as +cpu"
    return {match[1]: match[2] for match in found if match}


RUNNING = pins("requirements.lock")
EVERYTHING = RUNNING | pins("requirements-dev.lock")


def has_gpu() -> bool:
    """Whether this machine has a working NVIDIA GPU, as the installer decides it."""
    command = shutil.which("nvidia-smi")
    return command is not None and b"GPU" in subprocess.run([command, "-L"], capture_output=True).stdout


def test_lock_names_no_cuda_package() -> None:
    assert [name for name in EVERYTHING if CUDA.match(name)] == []


@pytest.mark.parametrize(
    ("wanted", "locked"),
    [
        (PROJECT["dependencies"], RUNNING),
        (PROJECT["optional-dependencies"]["dev"], EVERYTHING),
        (PROJECT["optional-dependencies"]["tensorboard"], EVERYTHING),
    ],
    ids=["dependencies", "dev", "tensorboard"],
)
def test_every_dependency_is_pinned(wanted: list[str], locked: dict[str, str]) -> None:
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{requirement} of pyproject.toml is in no lock: make lock"
        assert requirement.specifier.contains(locked[name]), f"{name}=={locked[name]} is not {requirement}"


def test_default_lock_is_without_trackers() -> None:
    assert {"wandb", "tensorboard"}.isdisjoint(RUNNING)


def test_installed_is_locked() -> None:
    wrong = {
        name: version(name) for name, pin in EVERYTHING.items() if version(name).partition("+")[0] != pin
    }
    assert wrong == {}, "other versions than the lock's are installed: make install"


def test_no_cuda_package_without_a_gpu() -> None:
    if has_gpu() or torch.version.cuda:
        pytest.skip("this machine has a GPU, or TORCH=cuda was asked for")
    names = {canonicalize_name(found.metadata["Name"]) for found in distributions()}
    assert [name for name in sorted(names) if CUDA.match(name)] == []


def test_installed_packages_fit_together() -> None:
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_everything_imported_is_declared() -> None:
    """A package that only another package brings along disappears when that one is updated."""
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    optional = PROJECT["optional-dependencies"]
    extras = [line for extra in optional if extra != "dev" for line in optional[extra]]
    declared |= {canonicalize_name(Requirement(line).name) for line in extras} | {"wsss"}
    providers = packages_distributions()
    for path in [*REPOSITORY.glob("wsss/**/*.py"), *REPOSITORY.glob("workflow/scripts/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for top in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names):
                by = {canonicalize_name(name) for name in providers.get(top, [top])}
                assert by & declared, f"{path}: {top} is imported, but pyproject.toml does not name {by}"


def test_torchvision_imports_beside_this_torch() -> None:
    """In a process of its own, as the order of imports is what matters."""
    program = (
        "import wsss.models.torchvision_repair, torchvision, timm, torch\n"
        "from torchvision.transforms import v2\n"
        "print(v2.Resize((4, 4))(torch.zeros(3, 8, 8)).shape)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "torch.Size([3, 4, 4])"


def test_package_has_the_declared_version() -> None:
    import wsss

    assert version("wsss") == wsss.__version__


# The installer, with a pip that only writes down what it is asked for.

FAKE_PYTHON = """#!/bin/sh
case "$*" in
    "-c import sys; sys.exit"*) exit {too_old} ;;
    "-c import ensurepip"*) exit {no_venv} ;;
    "--version") echo "Python 3.9.2" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *--no-index*) echo "$@" >> "$CALLS"; exit {no_wheel} ;;
    "-m pip"*) echo "$@" >> "$CALLS" ;;
esac
"""


def run_installer(
    directory: Path,
    *arguments: str,
    gpu: bool = False,
    compiler: bool = True,
    too_old: bool = False,
    no_venv: bool = False,
    no_wheel: bool = False,
) -> tuple[int, str, str]:
    """Run the installer where every program is made up. Returns its status, pip's calls, and its errors."""
    programs = directory / "bin"
    programs.mkdir()
    for name in ("bash", "cat", "cp", "dirname", "grep", "mkdir"):
        (programs / name).symlink_to(shutil.which(name) or name)

    def program(name: str, text: str) -> None:
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    truths = {"too_old": too_old, "no_venv": no_venv, "no_wheel": no_wheel}
    program("python3", FAKE_PYTHON.format(**{name: int(value) for name, value in truths.items()}))
    if gpu:
        program("nvidia-smi", "#!/bin/sh\necho 'GPU 0: made up'\n")
    if compiler:
        program("g++", "#!/bin/sh\n")
    calls = directory / "calls"
    calls.touch()
    environment = {"PATH": str(programs), "VENV": str(directory / "venv"), "CALLS": str(calls)}
    environment |= {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    ran = subprocess.run([INSTALLER, *arguments], env=environment, capture_output=True, text=True)
    return ran.returncode, calls.read_text(), ran.stderr


def test_installer_takes_a_cpu_wheel_at_hand(tmp_path: Path) -> None:
    status, calls, errors = run_installer(tmp_path)
    assert status == 0, errors
    assert f"--no-index --no-deps torch=={RUNNING['torch']}\n" in calls
    assert "--index-url" not in calls
    assert "--no-deps -r requirements.lock" in calls
    assert "--no-deps --no-build-isolation -qq -e ." in calls


def test_installer_takes_the_cpu_index_otherwise(tmp_path: Path) -> None:
    status, calls, errors = run_installer(tmp_path, no_wheel=True)
    assert status == 0, errors
    wanted = f"whl/cpu torch=={RUNNING['torch']} torchvision=={RUNNING['torchvision']}\n"
    assert wanted in calls


@pytest.mark.parametrize(("arguments", "gpu"), [((), True), (("cuda",), False)], ids=["found", "asked for"])
def test_installer_takes_cuda(tmp_path: Path, arguments: tuple[str, ...], gpu: bool) -> None:
    status, calls, errors = run_installer(tmp_path, *arguments, gpu=gpu)
    assert status == 0, errors
    assert f"torch==={RUNNING['torch']}\n" in calls
    assert "whl/cpu" not in calls and "--no-index" not in calls


def test_installer_leaves_cuda_when_told(tmp_path: Path) -> None:
    status, calls, _ = run_installer(tmp_path, "cpu", gpu=True)
    assert status == 0
    assert "===" not in calls


def test_installer_names_a_python_that_is_too_old(tmp_path: Path) -> None:
    status, calls, errors = run_installer(tmp_path, too_old=True)
    assert (status, calls) == (1, "")
    assert "Python 3.11 to 3.14 is needed; found: Python 3.9.2" in errors
    assert "apt-get install" in errors


def test_installer_names_all_that_the_system_lacks(tmp_path: Path) -> None:
    status, calls, errors = run_installer(tmp_path, compiler=False, no_venv=True)
    assert (status, calls) == (1, "")
    assert "sudo apt-get install python3-venv g++" in errors


def test_installer_refuses_an_unknown_build(tmp_path: Path) -> None:
    status, calls, errors = run_installer(tmp_path, "rocm")
    assert (status, calls) == (1, "")
    assert "TORCH=rocm: allowed are auto, cpu, cuda, cu126" in errors
