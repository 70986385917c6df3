#!/usr/bin/env bash
# Slurm's programs, for the test that starts a cluster of one node (make test-slurm). Where they cannot be installed it says
# so and goes on: the test is then skipped and names what is missing.
set -euo pipefail
say() { printf 'slurm: %s\n' "$*" >&2; }
. "$(dirname "$0")/apt.sh"

for program in munged slurmctld slurmd sbatch; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && continue
    need_apt "$program is missing" munge slurmctld slurmd slurm-client || say "without Slurm its test is skipped"
    exit 0
done
