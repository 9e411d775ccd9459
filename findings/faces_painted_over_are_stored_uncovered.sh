#!/usr/bin/env bash
# Faces in a video's frames are painted over, frames are made smaller, and the data set is written. Pillow changes a picture
# in place for that: paste, ImageDraw and thumbnail. Here each is done to a JPEG of one bright colour, 96 x 64 pixels, and the
# picture is given to three formats of data sets.
# Guess, written before the run: a data set holds the pictures that it was given.
#
# Seen (datasets 5.0.1, litdata 0.2.76, mosaicml-streaming 0.13.0, Pillow 13.0.0): none does. A picture that was opened still
# knows its file, and to spare a second compression all three store the file: datasets its path, and its bytes in Parquet;
# litdata and streaming, for JPEG, its bytes. Nothing says so. The black square is gone and the small picture is large again,
# also after Dataset.map. What makes a new picture is kept: convert, resize, crop, copy.
#   stored by datasets:      darkest after paste 200, after draw 200, size after thumbnail (96, 64)
#   stored by datasets, map: darkest after paste 200, after draw 200, size after thumbnail (96, 64)
#   stored by litdata:       darkest after paste 200, after draw 200, size after thumbnail (96, 64)
#   stored by streaming:     darkest after paste 200, after draw 200, size after thumbnail (96, 64)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.0.1 litdata==0.2.76 mosaicml-streaming==0.13.0 pillow==13.0.0
cd "$folder"
HF_HOME="$folder/cache" "$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import io

import numpy as np
from datasets import Dataset, Features, Image, disable_progress_bars
from litdata.streaming.serializers import JPEGSerializer
from PIL import Image as Pillow
from PIL import ImageDraw
from streaming.base.format.mds.encodings import mds_decode, mds_encode

disable_progress_bars()
Pillow.fromarray(np.full((64, 96, 3), 200, np.uint8)).save("frame.jpg", quality=95)
CHANGES = {
    "paste": lambda picture: picture.paste((0, 0, 0), (10, 10, 40, 40)),
    "draw": lambda picture: ImageDraw.Draw(picture).rectangle((10, 10, 40, 40), fill=0),
    "thumbnail": lambda picture: picture.thumbnail((48, 48)),
}


def changed(picture, change):
    CHANGES[change](picture)
    assert np.asarray(picture).min() == 0 or picture.size == (48, 32)
    return picture


def by_datasets(change, new=False):
    picture = changed(Pillow.open("frame.jpg"), change)
    rows = {"frame": [picture.copy() if new else picture]}
    Dataset.from_dict(rows, Features({"frame": Image()})).to_parquet("frames.parquet")
    return Dataset.from_parquet("frames.parquet", cache_dir=f"cache/{change}/{new}")[0]["frame"]


def by_map(change):
    rows = Dataset.from_dict({"frame": ["frame.jpg"]}, Features({"frame": Image()}))
    return rows.map(lambda row: {"frame": changed(row["frame"], change)})[0]["frame"]


def by_litdata(change):
    return Pillow.open(io.BytesIO(JPEGSerializer().serialize(changed(Pillow.open("frame.jpg"), change))[0]))


def by_streaming(change):
    return mds_decode("jpeg", mds_encode("jpeg", changed(Pillow.open("frame.jpg"), change)))


stores = {"datasets": by_datasets, "datasets, map": by_map, "litdata": by_litdata, "streaming": by_streaming}
for name, store in stores.items():
    pasted, drawn = (int(np.asarray(store(change)).min()) for change in ("paste", "draw"))
    size = store("thumbnail").size
    print(f"stored by {name}: darkest after paste {pasted}, after draw {drawn}, size after thumbnail {size}")
    assert (pasted, drawn, size) == (200, 200, (96, 64))
assert np.asarray(by_datasets("paste", new=True)).min() == 0
assert by_datasets("thumbnail", new=True).size == (48, 32)
PYTHON
