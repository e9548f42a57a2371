"""What outlives the monitor: recordings of the stream, and the results of earlier runs."""
