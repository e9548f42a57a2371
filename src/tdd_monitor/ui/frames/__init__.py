"""What a frame shows and when it is drawn: turns the stream's deltas into views."""
