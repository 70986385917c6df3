"""The profiles of clusters: rules that exist, the same knobs in both, rules that ask for more when tried again."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
RULES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk"))}
NAMES = set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)", "\n".join(RULES.values()), flags=re.M))
QUEUES = ("executor", "slurm-", "cluster-generic-", "seconds-between-status-checks")  # each has its own


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["slurm", "cluster-generic"])
def test_groups_are_of_rules_that_exist(name):
    given = profile(name)
    assert set(given["groups"]) <= NAMES
    assert set(given["group-components"]) <= set(given["groups"].values())


def test_both_have_the_same_knobs():
    slurm, generic = (
        {k: v for k, v in profile(n).items() if not k.startswith(QUEUES)} for n in ("slurm", "cluster-generic")
    )
    assert slurm == generic


@pytest.mark.parametrize("file", RULES)
def test_a_second_try_gets_more(file):
    """Whatever a rule says of memory and time grows with its tries, by the one helper."""
    said = re.findall(r"^ +(?:mem_mb|runtime)=(.*),$", RULES[file], flags=re.M)
    assert all(re.fullmatch(r"growing\(\w+\)", value) for value in said), said
    rules = re.findall(r"^rule \w+:\n(?:(?!^(?:use )?rule ).*\n)*", RULES[file] + "\n", flags=re.M)
    lacking = [rule.split(":")[0] for rule in rules if "    script:" in rule and "mem_mb=growing(" not in rule]
    assert not lacking


@pytest.mark.parametrize(("sbatch", "code", "printed"), [("echo '42;lab'", 0, "42\n"), ("exit 3", 3, "")])
def test_a_refused_submission_is_no_job(tmp_path, sbatch, code, printed):
    """What sbatch prints beside the id is cut off, and its refusal is not."""
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\n{sbatch}\n", encoding="utf-8")
    (tmp_path / "sbatch").chmod(0o755)
    given = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "SNAKEMAKE_CLUSTER_SIDECAR_VARS": "mer",
    }
    command = [ROOT / "profiles/cluster-generic/submit", "500", "10", "1", "0", "a_rule", "job.sh"]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, printed)
