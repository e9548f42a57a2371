"""The screens: main, test detail, pages of text, help, palette and dialogs."""
