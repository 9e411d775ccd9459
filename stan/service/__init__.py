"""A library in; an HTTP service over it, a client of that service, and tools for editors and agents, out."""
