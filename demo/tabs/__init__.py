"""The tabs of the demo's page, one module each."""
