"""How many processes and nodes share a batch."""

import pytest

from wsss.machine.shares import Shares


@pytest.mark.parametrize(
    ("images", "least", "most", "processes"),
    [
        (1, 1, 4, 1),  # PoolNet as published
        (32, 1, 4, 4),
        (6, 1, 4, 3),
        (7, 1, 4, 1),
        (8, 2, 8, 4),  # batch norm over pooled features: two images each
        (2, 2, 2, 1),
        (3, 2, 3, 1),
        (1, 2, 1, 0),  # refused when the configuration is read
    ],
)
def test_processes_have_equal_shares(images: int, least: int, most: int, processes: int) -> None:
    assert Shares(images, least).processes(most) == processes


@pytest.mark.parametrize(
    ("images", "most", "each", "nodes", "processes"),
    [
        (1, 4, 8, 1, 1),
        (32, 2, 8, 2, 8),
        (12, 2, 4, 2, 3),
        (6, 2, 4, 2, 3),
        (9, 4, 2, 3, 1),
        (4, 2, 4, 1, 4),
    ],
)
def test_the_nodes_are_those_with_the_most_processes(
    images: int, most: int, each: int, nodes: int, processes: int
) -> None:
    shares = Shares(images)
    assert shares.nodes(most, each) == nodes
    assert shares.processes(each, nodes=nodes) == processes
