"""What several tests need: small sweeps, and a cache of their own so that no test touches the user's."""

import signal
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import settings

from bench import cli, host, spec
from bench.ceilings import Ceiling, Measured, _cache, _gather

#: A test never depends on how fast the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# What runs in the background of a shell ignores Ctrl-C, and so would every command that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Dimensions so small that a point takes milliseconds; what is measured is not of interest, that it is measured is.
SMALL = {"vocabulary": 64, "embedding": 8, "hidden": 8, "sequence_length": 4, "generated_length": 2}
#: The same as flags of the command line.
SMALL_FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
#: Ceilings take 40 s; no test measures them.
NO_CEILINGS = "--ceilings=none"
QUICKLY = {"repetitions": 1, "rounds": 2, "block_seconds": 0.001, "warmup_limit": 0}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Children keep the tokens of the corpus here; one folder for all tests, so that they are made once."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def small_spec():
    """Makes a spec of small points: `small_spec({"batch_size": [1, 2]}, rounds=3)`."""

    def make(axes=None, **settings):
        return spec.parse("", "small", SMALL | (axes or {}), QUICKLY | settings)

    return make


@pytest.fixture
def small_flags():
    """The same point as flags of the command line."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in (SMALL | QUICKLY).items()] + [NO_CEILINGS]


@pytest.fixture
def pinchpoint(monkeypatch, capsys):
    """Run a command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pinchpoint", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


@pytest.fixture
def ceilings(monkeypatch, tmp_path):
    """Made-up ceilings, kept where the command and its processes look for them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    facts, threads = host.describe(), host.usable_cores()
    empty = {"dispatch_empty_s": Ceiling(1e-6, "s", -1, "empty operator")}
    made = Measured(
        _cache.SCHEMA,
        str(facts["fingerprint"]),
        _cache.host_name(facts),
        "auto",
        threads,
        datetime.now(UTC).isoformat(),
        0.0,
        {"dispatch": empty},
    )
    file = _cache.path(facts, "auto", threads)
    _cache.write(file, made)
    monkeypatch.setattr(_gather, "gather", lambda *_: pytest.fail("ceilings are kept"))
