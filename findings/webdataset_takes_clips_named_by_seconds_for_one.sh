#!/usr/bin/env bash
# Clips that are cut from longer videos are often named by their seconds, VIDEO_0.5_10.0.mp4, and so are their captions. Here
# captions and facts of two clips of one video stand in a tar file, and two readers are asked for its samples.
# Guess, written before the run: two samples, each with a txt and a json, whatever dots their names have.
#
# Seen (webdataset 1.0.2, datasets 5.2.0): one sample. Its key ends at the first dot, VIDEO_0, which both clips have; what
# follows is taken for a kind of file: there is no txt, but a 5_10.0.txt and a 7_12.0.txt, without a word. A pipeline that
# asks for txt, or for mp4, drops the sample or fails on it; one that counts samples counts half.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q webdataset==1.0.2 datasets==5.2.0
cd "$folder"
for name in VIDEO_0.5_10.0 VIDEO_0.7_12.0; do
    echo '{"seconds": 2}' > "$name.json"
    echo "a caption" > "$name.txt"
done
tar -cf clips.tar VIDEO_0.5_10.0.json VIDEO_0.5_10.0.txt VIDEO_0.7_12.0.json VIDEO_0.7_12.0.txt
HF_HUB_OFFLINE=1 HF_HOME="$folder/hub" "$folder/venv/bin/python" - <<'PYTHON'
import datasets
import webdataset

readers = {
    "webdataset": webdataset.WebDataset("clips.tar", shardshuffle=False),
    "datasets": datasets.load_dataset("webdataset", data_files={"train": "clips.tar"}, split="train", streaming=True),
}
for name, samples in readers.items():
    found = [(one["__key__"], sorted(part for part in one if not part.startswith("__"))) for one in samples]
    print(f"{name}: {found}")
    assert found == [("VIDEO_0", ["5_10.0.json", "5_10.0.txt", "7_12.0.json", "7_12.0.txt"])]
PYTHON
