"""Which saves run the tests: real saves apart from touches and from what the tests write themselves."""
