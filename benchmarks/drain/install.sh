#!/bin/sh
# Drain3 to compare with, in an environment of its own.
#     benchmarks/drain/install.sh [FOLDER]      default: .drain
set -e
folder="${1:-.drain}"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet drain3
echo "$folder/bin/python"
