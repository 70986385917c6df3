"""A Slurm of one node in a temporary folder: munged, slurmctld and slurmd, heard on loopback alone.

Memory is enforced without cgroups: Slurm looks at each job every second and kills one that holds more than
it asked for.
The two GPUs are device files that do nothing; a job that asks for one sees CUDA_VISIBLE_DEVICES.
"""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])  # where daemons are, whoever looks
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
CPUS = max(2, os.cpu_count() or 1)

SLURM_CONF = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=5,sched_min_interval=0,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=600
KillWait=2
EnforcePartLimits=ALL
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
PlugStackConfig=/dev/null
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} \
ThreadsPerCore=1 RealMemory=16000 Gres=gpu:fake:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
GRES_CONF = """\
AutoDetect=off
NodeName={host} Name=gpu Type=fake File=/dev/null
NodeName={host} Name=gpu Type=fake File=/dev/zero
"""
# slurmd looks for cgroups, needed or not, and ends where it finds none that it may write, as in some containers;
# but only later versions can be told to do without.
CGROUP_CONFS = ("CgroupPlugin=autodetect\n", "CgroupPlugin=disabled\n")
# The Slurm plugin hands a job's step no SLURM_CONF; a real cluster's stands where srun looks for it by itself.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


def which(program: str) -> str | None:
    return shutil.which(program, path=SEARCHED)


def missing() -> list[str]:
    """The programs that this machine lacks."""
    return [program for program in PROGRAMS if not which(program)]


@dataclass(frozen=True)
class Slurm:
    """A running cluster."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to reach it, and the environment that runs the tests."""
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), SEARCHED]
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": os.pathsep.join(path)}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout

    def queued(self) -> list[str]:
        """The jobs that wait or run."""
        return self.ask("squeue", "--noheader", "--format=%i %T %k").splitlines()

    def jobs(self) -> list[dict[str, str]]:
        """All that Slurm knows of every job since it was started."""
        told = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in told]


@contextmanager
def running() -> Iterator[Slurm]:
    """A cluster as long as the block lasts."""
    slurm = Slurm(Path(tempfile.mkdtemp(prefix="mer-slurm-")))  # short: a socket's path has at most 107 characters
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, slurm.folder, ignore_errors=True)
        configure(slurm.folder)
        stack.enter_context(daemon(slurm, "munged", *munge_options(slurm.folder)))
        until(lambda: (slurm.folder / "munge.socket").exists(), slurm)
        stack.enter_context(daemon(slurm, "slurmctld", "-D", "-i", "-f", str(slurm.folder / "slurm.conf")))
        stack.enter_context(node(slurm))
        stack.callback(clear, slurm)
        yield slurm


@contextmanager
def node(slurm: Slurm) -> Iterator[None]:
    """The node, ready for jobs, as long as the block lasts."""
    with ExitStack() as stack:
        for conf in CGROUP_CONFS:
            (slurm.folder / "cgroup.conf").write_text(conf, encoding="utf-8")
            options = ("-D", "-N", host(), "-f", str(slurm.folder / "slurm.conf"))
            ended = stack.enter_context(daemon(slurm, "slurmd", *options)).poll
            until(lambda ended=ended: ready(slurm) or ended() is not None, slurm)
            if ended() is None:
                break
        until(lambda: ready(slurm), slurm)
        yield


def clear(slurm: Slurm) -> None:
    """End what still runs: a job's own daemon outlives a cluster that stops before it."""
    slurm.ask("scancel", "--user", getpass.getuser())
    until(lambda: not slurm.queued(), slurm)


def host() -> str:
    return socket.gethostname().split(".")[0]


def configure(folder: Path) -> None:
    """Write all that the daemons read."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    told = {"folder": folder, "host": host(), "user": getpass.getuser(), "cpus": CPUS, "ports": free_ports(2)}
    (folder / "slurm.conf").write_text(SLURM_CONF.format(**told), encoding="utf-8")
    (folder / "gres.conf").write_text(GRES_CONF.format(**told), encoding="utf-8")
    (folder / "munge.key").touch(mode=0o600)
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "bin/srun").write_text(SRUN.format(folder=folder, srun=which("srun")), encoding="utf-8")
    (folder / "bin/srun").chmod(0o755)


def munge_options(folder: Path) -> list[str]:
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return ["--foreground", "--force", *(f"--{option}={folder}/munge.{ending}" for option, ending in files.items())]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [found.getsockname()[1] for found in sockets]


@contextmanager
def daemon(slurm: Slurm, program: str, *options: str) -> Iterator[subprocess.Popen]:
    """A daemon as long as the block lasts; what it says is in the cluster's folder."""
    environment = {**os.environ, **slurm.environment}
    with open(slurm.folder / f"{program}.out", "wb") as said:
        process = subprocess.Popen([which(program), *options], env=environment, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ready(slurm: Slurm) -> bool:
    """Whether the node takes jobs."""
    try:
        return slurm.ask("sinfo", "--noheader", "--format=%t").strip() == "idle"
    except subprocess.SubprocessError:  # the controller does not listen yet
        return False


def until(condition, slurm: Slurm, seconds: float = 30) -> None:
    """Wait for a condition; where it does not come true, tell what the daemons said."""
    deadline = time.monotonic() + seconds
    while not condition():
        said = "\n".join(f"{file.name}: {file.read_text()}" for file in sorted(slurm.folder.glob("*.out")))
        assert time.monotonic() < deadline, f"Slurm does not get there:\n{said}"
        time.sleep(0.1)
