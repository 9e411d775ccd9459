"""The tabs of the demo's page, one file each."""
