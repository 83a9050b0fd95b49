"""Keep every test on one thread, off the network and out of the reader's cache."""

import os
import socket

# before numpy and torch are imported, or it has no effect
for _library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest  # noqa: E402

HERE = {"127.0.0.1", "::1", "localhost"}


def only_here(connect):
    """Wrap a method of socket so that it refuses what leaves this machine."""

    def guarded(self, address):
        if isinstance(address, tuple) and address[0] not in HERE:
            msg = f"a test must not use the network; it tried {address}"
            raise RuntimeError(msg)
        return connect(self, address)

    return guarded


@pytest.fixture(autouse=True)
def _alone(request, monkeypatch, tmp_path_factory):
    """Give the tests a cache of their own, and the network to those marked so."""
    if request.node.get_closest_marker("network"):
        return
    monkeypatch.setenv("SBD_DATA_DIR", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.delenv("SBD_MIRROR", raising=False)
    for name in ("connect", "connect_ex"):
        method = getattr(socket.socket, name)
        monkeypatch.setattr(socket.socket, name, only_here(method))
