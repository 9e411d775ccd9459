#!/usr/bin/env bash
# Embeddings of YouTube's videos, as those of MSVD, Kinetics or ActivityNet, are often kept as one Parquet file per video,
# named by its id: eleven letters, digits, "-" and "_". One id in 64 begins with an underscore. Here are four such files.
# Guess, written before the run: every reader of a folder of Parquet gives the rows of all its files.
#
# Seen (pyarrow 26.0.1, pandas 3.1.1, fastparquet 2026.9.0, polars 2.1.0, duckdb 2.0.1, datasets 5.2.0): pyarrow leaves files out
# whose names begin with "_", as those of Spark's own notes do, and pandas reads by pyarrow: about 1.6 % of the videos are gone,
# always the same ones, without a word. Named alone, such a file is read. The others read all four; so would pyarrow.dataset with
# ignore_prefixes=["."].
#   pyarrow.parquet, pyarrow.dataset, pandas:                  2 of 4
#   pandas by fastparquet, polars, duckdb, datasets:           4 of 4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 pandas==3.1.1 fastparquet==2026.9.0 polars==2.1.0 duckdb==2.0.1 datasets==5.2.0
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import datasets
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

folder = Path(sys.argv[1]) / "clips"
folder.mkdir()
videos = ["a1B2c3D4e5F", "-a1B2c3D4e5", "_a1B2c3D4e5", "__a1B2c3D4e"]
for video in videos:
    pyarrow.parquet.write_table(pyarrow.table({"video": [video]}), folder / f"{video}.parquet")

seen = {
    "pyarrow.parquet": pyarrow.parquet.read_table(folder)["video"].to_pylist(),
    "pyarrow.dataset": pyarrow.dataset.dataset(folder).to_table()["video"].to_pylist(),
    "pandas": pandas.read_parquet(folder)["video"].tolist(),
    "pandas by fastparquet": pandas.read_parquet(folder, engine="fastparquet")["video"].tolist(),
    "polars": polars.read_parquet(folder)["video"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql(f"SELECT video FROM '{folder}/*.parquet'").fetchall()],
    "datasets": list(datasets.load_dataset("parquet", data_dir=str(folder))["train"]["video"]),
    "pyarrow, with ignore_prefixes": pyarrow.dataset.dataset(folder, ignore_prefixes=["."]).to_table()["video"].to_pylist(),
}
for reader, found in seen.items():
    print(f"{reader}: {len(found)} of {len(videos)}, without {sorted(set(videos) - set(found))}")

for reader, found in seen.items():
    gone = ["__a1B2c3D4e", "_a1B2c3D4e5"] if reader in ("pyarrow.parquet", "pyarrow.dataset", "pandas") else []
    assert sorted(set(videos) - set(found)) == gone, reader
assert len(pandas.read_parquet(folder / "_a1B2c3D4e5.parquet")) == 1
PYTHON
