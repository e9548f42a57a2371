"""Text in roles: names cut to a width, words for states, charts. Pure functions."""
