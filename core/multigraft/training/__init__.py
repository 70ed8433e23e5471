"""The training loop and what it is made of: a ladder from fit to epoch to step, each in a file of
its own."""
