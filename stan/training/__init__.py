"""An experiment in, a finished run out: the training loop, sweeps over it and the notebooks that they run."""
