"""The screen: all use of Textual. It knows only what a Control exposes."""
