"""A training through its real script, killed again and again, ends with the weights of one that never was."""

import random
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.fault_table import Fault, contents
from support.tiny_run import make_run, train_priors
from support.training import wait_for

KILLS = 10
EPOCHS, PER_EPOCH = 16, 3
STEPS = EPOCHS * PER_EPOCH


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_ten_kills_change_nothing(tmp_path: Path, seed: int, fault: Fault) -> None:
    """Half of the kills hit at a random moment of a random step, the others while a checkpoint is written."""
    # at every step, for the sake of the kills
    run = make_run(
        tmp_path,
        images=12,
        machine={"checkpoint_minutes": 0, "workers": 1},
        epochs=EPOCHS,
        optimizer="momentum",
    )
    place = tmp_path / "results" / "tiny"
    made = [tmp_path / "priors.safetensors", tmp_path / "priors.csv"]

    def train() -> None:
        ended = train_priors(tmp_path, run)
        _, said = ended.communicate()
        assert ended.returncode == 0, said

    began = time.monotonic()
    train()
    undisturbed, course = load_file(made[0]), made[1].read_text().splitlines()
    digests = contents(tmp_path, made[0].name)
    print(f"\nundisturbed: {STEPS} steps in {time.monotonic() - began:.0f} s")
    for path in made:
        path.unlink()

    rng = random.Random(seed)
    directory = place / "checkpoints" / "priors"

    def newest() -> int:
        return max((int(path.stem[5:]) for path in directory.glob("step-*.pt")), default=0)

    # one step out of each of as many parts of the training, so that the kills are all over it
    targets = [int(STEPS * (i + rng.random()) / (KILLS + 1)) for i in range(KILLS)]
    in_writing, before = 0, contents(tmp_path)
    for i, target in enumerate(targets):
        process = train_priors(tmp_path, run)
        wait_for(lambda target=target: newest() >= target, 120)
        if i % 2:
            wait_for(lambda: list(directory.glob(".step-*.part.pt")))
        else:
            time.sleep(rng.random() * 0.5)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        half = bool(list(directory.glob(".step-*.part.pt")))
        in_writing += half
        print(f"kill {i + 1}: asked for step {target}, newest checkpoint {newest()}, in writing: {half}")
        assert newest() < STEPS
    after = contents(tmp_path)
    began = time.monotonic()
    train()
    print(
        f"resumed to the end in {time.monotonic() - began:.0f} s; seed {seed}, {in_writing} kills in writing"
    )
    assert in_writing >= 1

    resumed = load_file(made[0])
    assert resumed.keys() == undisturbed.keys()
    assert [name for name in resumed if not torch.equal(resumed[name], undisturbed[name])] == []
    columns = course[0].split(",")
    clock = [columns.index(name) for name in ("images_per_second", "data_share", "memory_gb")]

    def without_clock(line: str) -> list[str]:
        return [value for i, value in enumerate(line.split(",")) if i not in clock]

    again = made[1].read_text().splitlines()
    assert [without_clock(line) for line in again] == [without_clock(line) for line in course]
    assert not directory.exists()
    done = f"kill -9 of a training, ten times, {in_writing} of them while it saves itself"
    fault(done, process.returncode, "", before, after, contents(tmp_path, made[0].name), digests)
    print(f"{len(resumed)} tensors and {len(course) - 1} rows of metrics are equal, bit for bit")
