#!/bin/sh
# The teams to compare with, in an environment of their own.
#     benchmarks/teams/install_peers.sh FOLDER
set -e
folder="$1"
python3 -m venv "$folder/langgraph"
"$folder/langgraph/bin/pip" install --quiet --disable-pip-version-check langgraph langgraph-checkpoint-sqlite
touch "$folder/installed"
