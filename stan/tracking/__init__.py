"""Runs' records in, the same numbers at other places out: trackers such as MLflow; and foreign numbers in, records out.

A record is whole without its trackers. They are sent what its log holds, while it is written or at any later time.
"""
