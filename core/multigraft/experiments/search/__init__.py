"""Search: hyperparameters chosen by validation rows, with Optuna's samplers and pruners."""
