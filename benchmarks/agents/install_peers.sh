#!/bin/sh
# The agents to compare with, in environments of their own (Google's wants other versions than the rest).
#     benchmarks/agents/install_peers.sh FOLDER
set -e
folder="$1"
python3 -m venv "$folder/many"
"$folder/many/bin/pip" install --quiet --disable-pip-version-check langgraph langgraph-checkpoint-sqlite pydantic-ai-slim dbos openai-agents
python3 -m venv "$folder/google"
"$folder/google/bin/pip" install --quiet --disable-pip-version-check google-adk sqlalchemy greenlet aiosqlite
touch "$folder/installed"
