"""A Python that has changed what is private in it: pytest starts, and the tests are told as ever."""

import pytest

from plugin.conftest import Suite
from plugin.harness import listening, run_pytest
from plugin.test_stream import start
from tdd_monitor.protocol.events import RunFinish, Sample, WarningRaised

# json itself goes on as before.
OTHER_ENCODER = """
    import json.encoder
    import sys

    original = json.encoder.c_make_encoder

    def changed(*arguments):
        if sys._getframe(1).f_globals["__name__"] == "json.encoder":
            return original(*arguments)
        {body}

    json.encoder.c_make_encoder = changed
"""
SUITE = "def test_a(): pass\ndef test_b(): assert 0\n"


@pytest.mark.parametrize(
    "body",
    ["raise TypeError('takes 11 arguments')", "return lambda value, level: ('nonsense',)", "return None"],
    ids=["signature", "result", "nothing"],
)
def test_another_json_encoder(body: str, suite: Suite) -> None:
    directory = suite(sitecustomize=OTHER_ENCODER.format(body=body), test_it=SUITE)
    run = run_pytest(directory, env={"PYTHONPATH": str(directory)})
    assert run.counted == run.finish.counts == {"passed": 1, "failed": 1}, run.output


def test_a_plugin_that_cannot_be_imported_is_reported_and_pytest_runs(suite: Suite) -> None:
    broken = "import sys\nsys.modules['tdd_monitor.plugin.transport'] = None\n"
    directory = suite(sitecustomize=broken, test_it=SUITE)
    with listening() as listener:
        process = start(directory, listener.address, PYTHONPATH=str(directory))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "1 failed, 1 passed" in output
    assert "tdd-monitor: error: tests not measured" in output
    assert listener.connections == 0


SAMPLER = """
    import threading

    from tdd_monitor.plugin.sampler import Sampler

    sample = Sampler._sample
    failures = [MemoryError("no"), RuntimeError("dictionary changed size")]
    sampled = threading.Event()

    def failing(self, *arguments):
        if failures:
            raise failures.pop()
        sample(self, *arguments)
        sampled.set()

    Sampler._sample = failing
"""


def test_sampling_goes_on_after_an_error(suite: Suite) -> None:
    slow = "from conftest import sampled\ndef test_slow():\n    assert sampled.wait(30)\n"
    run = run_pytest(suite(conftest=SAMPLER, test_slow=slow))
    assert run.finish == RunFinish(0, {"passed": 1})
    (warning,) = run.events(WarningRaised)
    assert "samples of memory and pools are missing: RuntimeError: dictionary" in warning.message
    assert run.events(Sample)
