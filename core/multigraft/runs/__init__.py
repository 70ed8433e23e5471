"""Runs: the folder that holds one training, its record, how it is put together and compared."""
