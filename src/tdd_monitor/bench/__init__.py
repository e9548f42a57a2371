"""The benchmark of the database-test toolkit: is this machine's PostgreSQL fast enough for TDD?"""

from .benchmark import TDDPerformanceBenchmark
from .measurement import Measurement, Report

__all__ = ["Measurement", "Report", "TDDPerformanceBenchmark"]
