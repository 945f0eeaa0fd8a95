"""A real local cluster of two worker processes, one of which is killed in the middle."""

import os
import signal

import pytest
from distributed import LocalCluster
from test_partial import REAL, TRAIN, assert_same, written

from cornac_mle import audit
from cornac_mle.metrics import PlausibilityKS, UnrealisticUsers
from cornac_mle.partial.engines import dask_client

# Dask's own warnings, of sockets that it leaves to the end say, are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")
METRICS = [UnrealisticUsers(), PlausibilityKS(n_permutations=99)]


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        made.wait_for_workers(2)
        yield made


def test_a_worker_that_is_killed_changes_nothing(cluster, tmp_path):
    folder = written(tmp_path / "made", partition_users=20)
    killed = []
    with dask_client(cluster.scheduler_address) as client:

        def kill_one(text):
            if text.startswith("made: judged 1 of 20"):
                process = next(iter(client.run(os.getpid).values()))
                os.kill(process, signal.SIGKILL)
                killed.append(process)

        in_parts = audit(
            REAL, {"made": folder}, train=TRAIN, metrics=METRICS, engine=client, on_step=kill_one
        )
    assert len(killed) == 1
    assert_same(in_parts, audit(REAL, {"made": folder}, train=TRAIN, metrics=METRICS))


@pytest.mark.parametrize("address", ["scheduler", "tcp://10.0.0.1", "tcp://:x"])
def test_what_is_no_address(address):
    rule = r"`--dask` must be the address of a Dask scheduler, such as"
    with pytest.raises(ValueError, match=rule), dask_client(address):
        pass
