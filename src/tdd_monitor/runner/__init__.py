"""Runs pytest and feeds the board: engine, process, socket server, file watcher, replay."""
