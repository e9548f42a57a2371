"""Text with roles: names cut to a width, words for states, charts. Pure functions."""
