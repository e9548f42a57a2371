"""What outlives a monitor: recordings of the stream."""
