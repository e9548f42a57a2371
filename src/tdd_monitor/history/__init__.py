"""Recordings of the stream, which outlive the monitor."""
