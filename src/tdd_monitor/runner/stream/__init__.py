"""The socket on which the lines of the plugin arrive."""
