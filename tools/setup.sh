#!/usr/bin/env bash
# Leaves the environment in .venv: system libraries for OpenGL, a virtual environment, the packages of
# requirements/lock.txt, each file held to its hash, and torch, whose builds differ by machine.
# Usage: tools/setup.sh cpu|gpu   (called by make setup)
set -euo pipefail
kind=$1
python=${PYTHON:-python3}
say() { printf 'setup: %s\n' "$*" >&2; }

. "$(dirname "$0")/apt.sh"

case $PWD in *[[:space:]]*) say "'$PWD' has a space in it, which Snakemake's jobs cannot run from: move the checkout"; exit 1 ;; esac

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    { say "Python 3.11 or newer is needed ($("$python" --version 2>&1)): install it, or name one with PYTHON=…"; exit 1; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || need_apt "Python cannot make virtual environments" python3-venv

# OpenCV needs libGL; pyrender needs OSMesa or EGL, and only to render the embedded corpus.
missing=()
has() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }
has libOSMesa.so.8 || has libOSMesa.so.6 || has libOSMesa.so || missing+=(libosmesa6)
has libEGL.so.1 || missing+=(libegl1)
has libGL.so.1 || missing+=(libgl1 libgl1-mesa-dri)
has libOpenGL.so.0 || missing+=(libopengl0)
if [ ${#missing[@]} != 0 ]; then
    need_apt "OpenGL libraries are missing" "${missing[@]}" || has libGL.so.1
fi

# An environment that was interrupted half way, or whose Python is gone, is made anew.
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt

# pip's find-links may stand in its settings instead of the environment; uv reads neither, and wants commas between them.
: "${UV_FIND_LINKS:=$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)}"
UV_FIND_LINKS=${UV_FIND_LINKS// /,}
[ -z "$UV_FIND_LINKS" ] || export UV_FIND_LINKS
# torch: a CPU wheel that pip's find-links offers, else the build that uv's torch backend picks.
torch=$(sed -n 's/^torch==//p' "requirements/overrides-$kind.txt")
backend=(--torch-backend "$([ "$kind" = gpu ] && echo auto || echo cpu)")
if [ "$kind" = cpu ]; then
    this=$(.venv/bin/python -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    for place in ${UV_FIND_LINKS//,/ }; do
        if compgen -G "$place/torch-$torch+cpu-$this-*$(uname -m).whl" >/dev/null; then backend=(); fi
    done
fi
index=()
if [ -n "${PIP_NO_INDEX:-}" ]; then index=(--no-index) backend=(); fi
# Another kind of torch than the one that is there satisfies its version: it must be replaced by name.
there=$(.venv/bin/python -c 'import torch; print("gpu" if torch.version.cuda else "cpu")' 2>/dev/null || true)
replace=()
if [ -n "$there" ] && [ "$there" != "$kind" ]; then replace=(--reinstall-package torch --reinstall-package torchvision); fi
install() { .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python "${index[@]}" "$@"; }
lock=requirements/lock.txt
say "installing the packages of $lock, then torch ($kind${backend[*]:+, ${backend[*]}})"
install --require-hashes --no-deps --build-constraint "$lock" --requirement "$lock"
install "${backend[@]}" "${replace[@]}" --constraint "$lock" --override "requirements/overrides-$kind.txt" \
    torch torchvision
install --no-deps --no-build-isolation --editable . # built by the setuptools of the lock
say "done: .venv ($(du -sh .venv | cut -f1))"
