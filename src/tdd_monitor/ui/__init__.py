"""The screen: everything Textual is here, and nothing here knows more than a Control tells it."""
