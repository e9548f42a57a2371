"""The language between the plugin inside pytest and the monitor: events and their codec.

Standard library only, from Python 3.9 on: this package runs in the user's interpreter.
"""
