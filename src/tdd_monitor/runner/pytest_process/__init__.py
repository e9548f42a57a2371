"""The process that runs pytest: interpreter, command line, output, termination."""
