"""What several test modules share: streams of events, small projects, a socket to listen on."""
