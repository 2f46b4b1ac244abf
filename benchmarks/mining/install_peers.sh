#!/bin/sh
# Rule learners and subgroup searches to compare with, in an environment of their own (they want numpy < 2).
#     benchmarks/mining/install_peers.sh [FOLDER]      default: .peers
set -e
folder="${1:-.peers}"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet "numpy<2" "pandas<2.3" scikit-learn imodels wittgenstein mlxtend sliceline pysubgroup six areev opendream
echo "$folder/bin/python"
