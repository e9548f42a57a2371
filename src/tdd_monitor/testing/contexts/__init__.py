"""What a test checks out: a transaction, a database or a session; and the manager that provides them."""
