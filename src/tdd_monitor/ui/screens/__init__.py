"""The screens: the main one, a test in detail, pages of text, help, and questions."""
