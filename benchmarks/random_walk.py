"""Random walk: the Chebyshev series against 256 sparse products and against the dense matrix squared eight
times.

    python benchmarks/random_walk.py

Every figure comes from a process of its own with one thread, all from one run: seconds (least and median of
the repetitions), the rise of the peak memory above the interpreter with its libraries loaded, and the largest
difference to 256 sparse products in double precision, relative to the largest value.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

from wsss.inference.random_walks import random_walk

RADIUS, BETA, STEPS = 5, 10, 256
CLASSES = 2
#: name, (height, width), repetitions, method and what it is compared with
CASES = [
    ("94x125", (94, 125), 20, "series"),
    ("94x125", (94, 125), 5, "sparse"),
    ("94x125", (94, 125), 5, "sparse-double"),
    ("60x80", (60, 80), 20, "series"),
    ("60x80", (60, 80), 1, "dense"),
    ("60x80", (60, 80), 5, "sparse-double"),
]


def scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """CAMs and edges like an image's: smooth blobs, and thin strong lines between them with noise."""
    generator = torch.Generator().manual_seed(0)

    def smooth(count: int) -> torch.Tensor:
        coarse = torch.randn(1, count, height // 10, width // 10, generator=generator)
        return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0]

    cams = smooth(CLASSES).relu()
    edge = torch.sigmoid(2 - 12 * smooth(1)[0].abs() + torch.randn(height, width, generator=generator))
    return (cams / cams.amax((1, 2), keepdim=True)).numpy(), edge.numpy()


def affinities(edge: np.ndarray, kind: type) -> scipy.sparse.csr_matrix:
    """The symmetric matrix of affinities, listed pair by pair."""
    height, width = edge.shape
    ends = [(0, dx) for dx in range(1, RADIUS)]
    ends += [
        (dy, dx)
        for dy in range(1, RADIUS)
        for dx in range(1 - RADIUS, RADIUS)
        if dy * dy + dx * dx < RADIUS * RADIUS
    ]
    index = np.arange(height * width).reshape(height, width)
    matrix = scipy.sparse.identity(height * width, kind, "csr")
    for dy, dx in ends:
        left, right = max(0, -dx), width - max(0, dx)
        source = index[: height - dy, left:right]
        strongest = np.zeros(source.shape)
        for y in range(dy + 1):
            for x in range(min(0, dx), max(0, dx) + 1):
                if (dy * x - dx * y) ** 2 < dy * dy + dx * dx:
                    strongest = np.maximum(strongest, edge[y : y + height - dy, left + x : right + x])
        values = ((1 - strongest) ** BETA).astype(kind).ravel()
        pairs = (source.ravel(), source.ravel() + dy * width + dx)
        upper = scipy.sparse.csr_matrix((values, pairs), matrix.shape)
        matrix = matrix + upper + upper.T
    return matrix.tocsr()


def sparse(cams: np.ndarray, edge: np.ndarray, kind: type) -> np.ndarray:
    """256 products with the sparse matrix."""
    matrix = affinities(edge, kind)
    degree = np.asarray(matrix.sum(0)).ravel()
    walked = (cams * (1 - edge)).reshape(len(cams), -1).astype(kind)
    for _ in range(STEPS):
        walked = np.stack([matrix @ one for one in walked]) / degree
    return walked.reshape(cams.shape)


def dense(cams: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The dense matrix squared eight times, as published."""
    matrix = torch.from_numpy(affinities(edge, np.float32).toarray())
    matrix /= matrix.sum(0)
    for _ in range(STEPS.bit_length() - 1):
        matrix = matrix @ matrix
    return (torch.from_numpy(cams * (1 - edge)).flatten(1) @ matrix).view(cams.shape).numpy()


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "series": lambda cams, edge: random_walk(cams, edge, beta=BETA, steps=STEPS, radius=RADIUS),
    "sparse": lambda cams, edge: sparse(cams, edge, np.float32),
    "sparse-double": lambda cams, edge: sparse(cams, edge, np.float64),
    "dense": dense,
}


def peak() -> float:
    """MB of memory that this process has had at most since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to count the peak from what is in use now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(method: str, size: tuple[int, int], repetitions: int, output: Path) -> None:
    """One line of the table, as JSON; the result goes to `output`."""
    torch.set_num_threads(1)
    cams, edge = scene(*size)
    forget_peak()
    before = peak()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        walked = METHODS[method](cams, edge)
        seconds.append(time.perf_counter() - start)
    np.save(output, walked, allow_pickle=False)
    least, median = min(seconds), statistics.median(seconds)
    print(json.dumps({"least": least, "median": median, "base": before, "rise": peak() - before}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case is not None:
        _, size, repetitions, method = CASES[arguments.case]
        measure(method, size, repetitions, arguments.output)
        return
    lines, results = [], []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(len(CASES)):
            output = Path(directory) / f"{number}.npy"
            command = [sys.executable, __file__, "--case", str(number), "--output", str(output)]
            one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **one_thread}
            )
            lines.append(json.loads(done.stdout))
            results.append(np.load(output, allow_pickle=False))
    exact = {case[0]: walk for case, walk in zip(CASES, results, strict=True) if case[3] == "sparse-double"}
    print(f"{'map':8}{'method':15}{'least s':>9}{'median s':>10}{'rise MB':>9}{'of MB':>8}{'error':>10}")
    for (name, _, _, method), line, result in zip(CASES, lines, results, strict=True):
        error = np.abs(result - exact[name]).max() / exact[name].max()
        times = f"{line['least']:9.3f}{line['median']:10.3f}"
        print(f"{name:8}{method:15}{times}{line['rise']:9.1f}{line['base']:8.0f}{error:10.1e}")
    by_case = {(case[0], case[3]): line["least"] for case, line in zip(CASES, lines, strict=True)}
    print(f"dense : series at 60x80 = {by_case['60x80', 'dense'] / by_case['60x80', 'series']:.0f} : 1")


if __name__ == "__main__":
    main()
