"""The simple mode of finding regressions: against the best value ever, in one file.

A best-ever baseline ratchets on noise; the monitor itself judges by a statistical rule over many runs.
"""

import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .file_lock import locked

BASELINE_FILE = "tdd_performance_baseline.json"


class BaselineError(ValueError):
    """The baseline file cannot be used."""


@dataclass(frozen=True)
class RegressionCheck:
    """What became of a value; all values in the unit of the metric."""

    regression_detected: bool
    baseline_value: float
    current_value: float
    threshold_value: float
    degradation_factor: float
    improvement: bool
    reason: str


class RegressionDetector:
    """Keeps the best value of each metric in a file that all workers share."""

    def __init__(self, baseline_file: str | Path = BASELINE_FILE, regression_threshold: float = 1.2) -> None:
        if not regression_threshold >= 1:
            raise ValueError(f"regression_threshold must be 1 or more, not {regression_threshold}.")
        self.baseline_file = Path(baseline_file)
        self.regression_threshold = regression_threshold

    def check_regression(self, metric: str, value: float) -> RegressionCheck:
        """Compare a value with the baseline, which the first value sets and a better one lowers.

        Raises ValueError for a value that is no duration, BaselineError for a file that is not ours.
        """
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{metric} must be a number of 0 or more, not {value!r}.")
        self.baseline_file.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.baseline_file.with_name(self.baseline_file.name + ".lock")):
            baselines = self._read()
            baseline = baselines.get(metric)
            if baseline is None or value < baseline:
                self._write({**baselines, metric: value})
        return self._judge(metric, value, baseline)

    def _judge(self, metric: str, value: float, baseline: float | None) -> RegressionCheck:
        reference = value if baseline is None else baseline
        threshold = reference * self.regression_threshold
        factor = value / reference if reference else (1.0 if value == reference else math.inf)
        regressed, better = value > threshold, value < reference
        if baseline is None:
            reason = f"{metric}: {value:g} is the first value and becomes the baseline"
        elif regressed:
            reason = f"{metric}: {value:g} is {factor:.2f} times the baseline of {reference:g}"
        elif better:
            reason = f"{metric}: {value:g} is better than {reference:g} and becomes the baseline"
        else:
            reason = f"{metric}: {value:g} is within {self.regression_threshold:g} times {reference:g}"
        return RegressionCheck(regressed, reference, value, threshold, factor, better, reason)

    def _read(self) -> dict[str, float]:
        try:
            content = json.loads(self.baseline_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BaselineError(
                f"{self.baseline_file} is not JSON ({error}): remove it or restore it."
            ) from error
        if not isinstance(content, dict) or not all(
            isinstance(value, (int, float)) and not isinstance(value, bool) for value in content.values()
        ):
            raise BaselineError(f"{self.baseline_file} is no baseline: it must map names to numbers.")
        return content

    def _write(self, baselines: dict[str, float]) -> None:
        # Another file that takes the name at once: whoever reads sees the old or the new, never half of it.
        descriptor, name = tempfile.mkstemp(dir=self.baseline_file.parent, prefix=self.baseline_file.name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(dict(sorted(baselines.items())), file, indent=2)
            Path(name).replace(self.baseline_file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
