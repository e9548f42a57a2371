"""The protocol between the plugin inside pytest and the monitor: events and their codec.

Standard library only, Python 3.9 or later: this package runs in the user's interpreter.
"""
