"""Batch prediction: a table's rows in, a file of answers out, in flat memory; without torch.

Nothing is imported here: the command line reads `bundle_tables` before it needs numpy.
"""
