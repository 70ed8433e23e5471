"""The training loop and its parts: a ladder from fit to epoch to step, each in its own file."""
