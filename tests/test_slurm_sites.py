"""Lines of the profile for clusters that refuse --gpus or --mem, or have no accounting, on a real Slurm."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.slurm import REPOSITORY, OnSlurm, Slurm, missing, said
from support.workflow import WHOLE, write_run

pytestmark = pytest.mark.slurm

#: what the profile says in comments, by its key
LINES = {
    "gres": '    # gres: "gpu:1"\n    # gpu: 0\n',
    "memory": "# config: [request_memory=false]\n",
}
MODEL = "results/whole/models/oc.safetensors"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Started for these tests."""
    if why := missing():
        pytest.skip(why)
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    yield running
    running.stop()


def without_accounting(directory: Path) -> str:
    """A search path that has all commands but those that ask the accounting."""
    directory.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for command in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if (
                command.name not in ("sacct", "sacctmgr", "sshare")
                and not (directory / command.name).exists()
            ):
                (directory / command.name).symlink_to(command)
    return str(directory)


def test_lines_for_other_sites(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile with its lines for --gres and --mem, where no sacct is installed."""
    profile = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8")
    for line in LINES.values():
        assert line in profile
        profile = profile.replace(line, re.sub("# ", "", line))
    changes = yaml.safe_load(profile)
    assert changes["set-resources"]["train_oc"] == {"slurm_partition": "gpu", "gres": "gpu:1", "gpu": 0}
    changes |= {"slurm-init-seconds-before-status-checks": 2, "latency-wait": 5}
    monkeypatch.setenv("PATH", without_accounting(tmp_path / "bin"))
    write_run(tmp_path, "whole", {**WHOLE, "machine": {**WHOLE["machine"], "device": "auto"}})
    run = OnSlurm(tmp_path, MODEL, changes=changes)
    try:
        assert run.ended() == 0, run.printed()
    finally:
        run.kill()
    assert (tmp_path / MODEL).is_file() and "Traceback" not in run.printed()
    (job,) = [text for text in map(described, run.submitted()) if "rule_train_oc" in text]
    assert re.search(r"TresPerNode=(gres:)?gpu:1", job) and "TresPerJob" not in job, job
    assert "MinMemoryNode=0" in job, job


def described(job: str) -> str:
    """What Slurm knows of a job."""
    return said("scontrol", "show", "job", job)
