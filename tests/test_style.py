"""Holds the walls of the design: who may import whom, and how files look. Messages name file and line.

LINE is the order of the parts; arrows run from its end to its beginning.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRARY = sorted((REPOSITORY / "wsss").rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "workflow" / "scripts").glob("[!_]*.py"))
RULES = sorted([*(REPOSITORY / "rules").glob("*.smk"), *REPOSITORY.glob("Snakefile")])

LONGEST_MODULE = 250
LONGEST_SCRIPT = 39

#: the parts of the library, lowest first; a part imports only what stands in an earlier line
LINE = (
    ("errors", "progress"),
    ("crf", "losses", "machine", "metrics", "models"),
    ("labels", "store"),
    ("config",),
    ("data",),
    ("runs",),
    ("inference",),
    ("evaluation",),
    ("figures",),
    ("training",),
    ("report",),
    ("exports", "imports", "plan", "predictor"),
    ("commands",),
    ("cli",),
)
PLACE = {part: place for place, parts in enumerate(LINE) for part in parts}
#: may stand at the top of wsss/ as a single file
TOP = ("__init__", "cli", "errors", "labels", "predictor", "progress")
#: parts that take tensors and give tensors: no data sets, no files
PURE = ("models", "losses")
#: the one module of PURE that reads files, because weights come in files
READS_WEIGHTS = "wsss/models/weights.py"
READING = {
    "open",
    "read_text",
    "read_bytes",
    "read_json",
    "imread",
    "load_file",
    "safe_open",
    "fromfile",
    "loadtxt",
}


def name_of(path: Path) -> str:
    """The path as messages show it."""
    return path.relative_to(REPOSITORY).as_posix()


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a file imports (`from a import b` is a.b)."""
    package = path.relative_to(REPOSITORY).with_suffix("").parts
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) + "." if node.level else ""
            yield from ((node.lineno, f"{base}{node.module or ''}.{alias.name}") for alias in node.names)


def part_of(name: str) -> str:
    """The part of wsss that a dotted name belongs to: models of wsss.models.backbone; '' outside wsss."""
    parts = name.split(".")
    return parts[1] if parts[0] == "wsss" and len(parts) > 1 else ""


def part_of_file(path: Path) -> str:
    """The part of wsss that a file belongs to."""
    return part_of(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))


def report(faults: list[str]) -> None:
    """Fail with all faults, one a line."""
    assert not faults, "\n" + "\n".join(faults)


def test_every_part_has_a_place() -> None:
    """A new package or module at the top of wsss/ is added to LINE, where its arrows allow."""
    parts = {part_of_file(path) for path in LIBRARY} - {"", "__init__"}
    assert sorted(parts - PLACE.keys()) == [], "parts that LINE does not list"
    modules = {path.stem for path in (REPOSITORY / "wsss").glob("*.py")}
    assert sorted(modules - set(TOP)) == [], "modules at the top of wsss/"


def arrows() -> Iterator[tuple[str, str, str]]:
    """Place in the code, importing part and imported part, of every import across two parts of wsss."""
    for path in LIBRARY:
        part = part_of_file(path)
        for line, name in imports(path):
            other = part_of(name)
            # `from wsss import __version__` names no part.
            if other and other != part and not other.startswith("__"):
                yield f"{name_of(path)}:{line}: imports {name}", part, other


def test_arrows_run_one_way() -> None:
    report(
        [
            f"{where}: {part} stands "
            + ("beside" if PLACE.get(other) == PLACE.get(part) else "before")
            + f" {other}"
            for where, part, other in arrows()
            if PLACE.get(other, len(LINE)) >= PLACE.get(part, -1)
        ]
    )


def test_no_package_is_in_a_cycle() -> None:
    """Strongly connected components of the parts, from the imports alone: none has two members."""
    reached = {part: {other for _, of, other in arrows() if of == part} for part in PLACE}
    for _ in PLACE:
        for part in reached:
            reached[part] |= {far for near in reached[part] for far in reached.get(near, ())}
    assert sorted(part for part in reached if part in reached[part]) == []


def test_models_and_losses_read_no_files() -> None:
    faults = []
    for path in LIBRARY:
        if part_of_file(path) not in PURE or name_of(path) == READS_WEIGHTS:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in READING:
                faults.append(f"{name_of(path)}:{node.lineno}: {ast.unparse(node.func)} reads a file")
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load"):
                faults.append(f"{name_of(path)}:{node.lineno}: {ast.unparse(node.func)} reads a file")
    report(faults)


def test_library_knows_no_snakemake() -> None:
    report(
        [
            f"{name_of(path)}:{line}: imports {name}"
            for path in LIBRARY
            for line, name in imports(path)
            if name.split(".")[0].startswith("snakemake")
        ]
    )


def test_no_private_names_of_others() -> None:
    """Neither `from wsss.a import _b` nor `a._b` where `a` is an imported module of wsss."""
    faults = []
    for path in [*LIBRARY, *SCRIPTS]:
        modules = set()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wsss":
                modules |= {alias.asname or alias.name for alias in node.names if alias.name.islower()}
            elif isinstance(node, ast.Import):
                modules |= {alias.asname or alias.name for alias in node.names if part_of(alias.name)}
        for line, name in imports(path):
            private = [part for part in name.split(".") if part.startswith("_") and not part.startswith("__")]
            if private and name.startswith("wsss."):
                faults.append(f"{name_of(path)}:{line}: imports the private name {name}")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and re.fullmatch("_[^_].*", node.attr):
                owner = ast.unparse(node.value)
                if owner in modules:
                    faults.append(f"{name_of(path)}:{node.lineno}: uses the private name {owner}.{node.attr}")
    report(faults)


def test_no_star_imports() -> None:
    every = [*LIBRARY, *SCRIPTS, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "tools").glob("*.py")]
    report(
        [
            f"{name_of(path)}:{line}: imports {name}"
            for path in every
            for line, name in imports(path)
            if name.endswith(".*")
        ]
    )


@pytest.mark.parametrize(
    ("paths", "longest"), [(LIBRARY, LONGEST_MODULE), (SCRIPTS, LONGEST_SCRIPT)], ids=["wsss", "scripts"]
)
def test_files_are_short(paths: list[Path], longest: int) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    report(
        [
            f"{name_of(path)}:{length}: {length} lines, allowed are {longest}"
            for path, length in lengths.items()
            if length > longest
        ]
    )


def test_public_names_have_docstrings() -> None:
    faults = []
    for path in LIBRARY:
        module = parsed(path)
        # An empty __init__.py only marks a package.
        if module.body and not ast.get_docstring(module):
            faults.append(f"{name_of(path)}:1: the module has no docstring")
        for node in module.body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                faults.append(f"{name_of(path)}:{node.lineno}: {node.name} has no docstring")
    report(faults)


def test_rules_compute_nothing() -> None:
    """No `run:` and `script:` blocks, no files opened, no arrays; rules say what exists and from what."""
    forbidden = {
        r"^\s*(run|script|notebook):": "a rule is one shell line",
        r"\bopen\(": "opens a file",
        r"^\s*(import|from) (numpy|torch|PIL|cv2|pandas)\b": "computes",
        r"\.read_text\(|\.write_text\(": "reads or writes a file",
    }
    faults = []
    for path in RULES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.partition("#")[0]
            faults += [
                f"{name_of(path)}:{number}: {why}: {line.strip()}"
                for pattern, why in forbidden.items()
                if re.search(pattern, code)
            ]
    report(faults)


def test_scripts_import_only_the_library() -> None:
    """A script parses its arguments and calls wsss: it has no need of arrays or networks of its own."""
    report(
        [
            f"{name_of(path)}:{line}: imports {name}"
            for path in SCRIPTS
            for line, name in imports(path)
            if name.split(".")[0] in ("numpy", "torch", "torchvision", "timm", "PIL", "cv2", "snakemake")
        ]
    )
