#!/usr/bin/env bash
# Embeddings are kept in half precision, which Parquet has had as a logical type since 2023. They are written by pyarrow as
# lists of 16-bit floats, and read again by three libraries, one of them pandas' other engine, fastparquet.
# Guess, written before the run: all give the numbers, or fastparquet refuses a type that it does not know.
#
# Seen (pyarrow 26.0.1, polars 1.36.1, fastparquet 2026.9.0): polars gives the numbers. fastparquet gives, without an
# error or a warning, a byte string for each number, and numpy's byte strings drop zero bytes at their end: 0.0 comes back
# as an empty string, 2 ** -24 as one byte. Write embeddings that others will read in 32 bits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 polars==1.36.1 fastparquet==2026.9.0 pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" -W error::UserWarning - "$folder/vectors.parquet" <<'PYTHON'
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

vector = np.array([0.5, -1.25, 0.0, 2**-24], np.float16)
column = pa.FixedSizeListArray.from_arrays(pa.array(vector), len(vector))
pq.write_table(pa.table({"embedding": column}), sys.argv[1])

by_polars = pl.read_parquet(sys.argv[1])["embedding"][0].to_list()
by_fastparquet = pd.read_parquet(sys.argv[1], engine="fastparquet")["embedding"][0]
print("polars:", by_polars)
print("fastparquet:", list(by_fastparquet))
assert by_polars == vector.tolist()
assert all(isinstance(one, bytes) for one in by_fastparquet)
assert [len(one) for one in by_fastparquet] == [2, 2, 0, 1]
PYTHON
