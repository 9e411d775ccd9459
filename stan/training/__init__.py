"""An experiment in, a finished run out: the training loop, sweeps of many runs, and the notebooks that they execute."""
