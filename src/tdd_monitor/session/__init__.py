"""The state of the monitor, and how events change it. No I/O, clock or screen."""
