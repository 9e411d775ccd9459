"""A notebook and its parameters in, the executed notebook and its HTML out."""
