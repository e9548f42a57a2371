"""Detects the saves that rerun the tests, as opposed to touches and files written by the tests."""
