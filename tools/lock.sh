#!/usr/bin/env bash
# Writes requirements/lock.txt from pyproject.toml: every package but torch's own, for any machine and Python that
# pyproject.toml allows, each file by its hash; and the hashes of uv itself. Versions that stand in the file stay where
# they may; to take newer ones delete it first.   (called by make lock)
set -euo pipefail
uv() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock" "$@"; }
compile() { uv --override requirements/overrides-cpu.txt --group dev pyproject.toml "$@"; }
# torch comes in builds that differ by machine; what only it brings (CUDA) comes with it.
own=$(compile --no-annotate --no-header | grep -oE '^(torch|torchvision|triton|(nvidia|cuda)-[a-z0-9-]+)' | sort -u)
skip=()
for name in $own; do skip+=(--no-emit-package "$name"); done
compile --generate-hashes "${skip[@]}" --output-file requirements/lock.txt
pin=$(sed -nE 's/^(uv==[^ ]+).*/\1/p' requirements/uv.txt)
uv --generate-hashes --output-file requirements/uv.txt - <<< "$pin"
