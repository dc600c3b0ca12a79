"""The cluster that a test file runs its jobs on."""

import pytest

from support.slurm_cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running
