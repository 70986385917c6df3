#!/usr/bin/env bash
# Snakemake runs this after it made the environment (--software-deployment-method conda): what conda's pip section
# cannot do, the two packages whose own pins are older than what they run on. See environment.yml.
set -euo pipefail
pip install --no-deps facenet-pytorch==2.6.0 pyrender==0.1.45
