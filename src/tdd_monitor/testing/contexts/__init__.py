"""What a test holds: a transaction, a database or a session of its own, and who gives them out."""
