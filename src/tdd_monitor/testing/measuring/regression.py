"""Simple regression detection: compares with the best value so far, kept in one file.

Noise only ever lowers such a baseline; the monitor itself applies a statistical rule over many runs.
"""

import math
from pathlib import Path
from typing import TypedDict

from . import baseline_file as files
from .baseline_file import BASELINE_FILE
from .file_lock import locked


class RegressionCheck(TypedDict):
    """The result for one value; all values are in the unit of the metric."""

    regression_detected: bool
    baseline_value: float
    current_value: float
    threshold_value: float
    degradation_factor: float
    improvement: bool
    reason: str


class RegressionDetector:
    """Keeps the best value of each metric in a file shared by all workers.

    `baseline_data` is the content of the file as last read; changes to it are written by the next check.
    `regression_threshold` may be changed at any time. Raises BaselineError if the file is not a baseline.
    """

    def __init__(self, baseline_file: str | Path = BASELINE_FILE, regression_threshold: float = 1.2) -> None:
        if not regression_threshold >= 1:
            raise ValueError(f"regression_threshold must be 1 or more, not {regression_threshold}.")
        self.baseline_file = Path(baseline_file)
        self.regression_threshold = regression_threshold
        self._last_read = files.read(self.baseline_file)
        self.baseline_data: dict[str, float] = dict(self._last_read)

    def check_regression(self, metric_name: str, current_value: float) -> RegressionCheck:
        """Compare a value with the baseline, which is set by the first value and lowered by better ones.

        Raises ValueError for a negative or non-finite value, BaselineError if the file is not a baseline.
        """
        if not (math.isfinite(current_value) and current_value >= 0):
            raise ValueError(f"{metric_name} must be a finite number, 0 or more, not {current_value!r}.")
        self.baseline_file.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.baseline_file.with_name(self.baseline_file.name + ".lock")):
            on_disk = files.read(self.baseline_file)
            baselines = self._merged(on_disk)
            baseline = baselines.get(metric_name)
            if baseline is None or current_value < baseline:
                baselines[metric_name] = current_value
            if baselines != on_disk:
                files.write(self.baseline_file, baselines)
        self.baseline_data, self._last_read = baselines, dict(baselines)
        return self._judge(metric_name, current_value, baseline)

    def _merged(self, on_disk: dict[str, float]) -> dict[str, float]:
        """The file as other workers left it, plus the caller's changes to `baseline_data`."""
        changed = {
            name: value for name, value in self.baseline_data.items() if self._last_read.get(name) != value
        }
        removed = self._last_read.keys() - self.baseline_data.keys()
        return {name: value for name, value in {**on_disk, **changed}.items() if name not in removed}

    def _judge(self, metric: str, value: float, baseline: float | None) -> RegressionCheck:
        reference = value if baseline is None else baseline
        threshold = reference * self.regression_threshold
        factor = value / reference if reference > 0 else 1.0
        regressed, better = value > threshold, value < reference
        if baseline is None:
            reason = f"{metric}: {value:g} is the first value and becomes the baseline"
        elif regressed:
            reason = f"{metric}: {value:g} is {factor:.2f} times the baseline of {reference:g}"
            if reference == 0:
                reason = f"{metric}: {value:g} is more than the baseline of 0"
        elif better:
            reason = f"{metric}: {value:g} is better than {reference:g} and becomes the baseline"
        else:
            reason = f"{metric}: {value:g} is within {self.regression_threshold:g} times {reference:g}"
        return RegressionCheck(
            regression_detected=regressed,
            baseline_value=reference,
            current_value=value,
            threshold_value=threshold,
            degradation_factor=factor,
            improvement=better,
            reason=reason,
        )
