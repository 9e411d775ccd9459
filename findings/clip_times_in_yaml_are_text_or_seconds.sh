#!/usr/bin/env bash
# Moments of videos are written down as minutes:seconds, and lists of them often lie in YAML, for Hydra or by hand.
# Guess, written before the run: such a time is text for every reader, and one parses it oneself.
#
# Seen (PyYAML 6.0.4, OmegaConf 2.4.0, ruamel.yaml 0.19.1): YAML 1.1, which PyYAML and OmegaConf read, has numbers in base 60.
# From 1:00 on a time is an integer, its seconds; below, or with a leading zero, it is text; with tenths it is a float, also
# below a minute. So one list of clips mixes three types, and code that was tried on the first minute fails after it, or,
# where it takes a number for a frame, goes on with the 105th. ruamel.yaml reads YAML 1.2: always text.
#   PyYAML:      0:45 -> '0:45', 1:45 -> 105, 01:45 -> '01:45', 0:45.5 -> 45.5, 1:02:03 -> 3723
#   OmegaConf:   0:45 -> '0:45', 1:45 -> 105, 01:45 -> '01:45', 0:45.5 -> 45.5, 1:02:03 -> 3723
#   ruamel.yaml: 0:45 -> '0:45', 1:45 -> '1:45', 01:45 -> '01:45', 0:45.5 -> '0:45.5', 1:02:03 -> '1:02:03'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyyaml==6.0.4 omegaconf==2.4.0 ruamel.yaml==0.19.1
"$folder/venv/bin/python" - <<'PYTHON'
import yaml
from omegaconf import OmegaConf
from ruamel.yaml import YAML

times = ["0:45", "1:45", "01:45", "0:45.5", "1:02:03"]
text = "".join(f"- {time}\n" for time in times)
seen = {
    "PyYAML:     ": yaml.safe_load(text),
    "OmegaConf:  ": list(OmegaConf.create(text)),
    "ruamel.yaml:": list(YAML(typ="safe").load(text)),
}
for reader, values in seen.items():
    print(reader, ", ".join(f"{time} -> {value!r}" for time, value in zip(times, values)))
mixed = ["0:45", 105, "01:45", 45.5, 3723]
assert list(seen.values()) == [mixed, mixed, times]
PYTHON
