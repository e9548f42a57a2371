"""What a frame shows and when it is drawn: from the stream's deltas to a View."""
