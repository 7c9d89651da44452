"""experiments/embedding/job_array.sh on a real Slurm: one controller and two nodes on this machine, each of two CPUs.

In the middle a task is killed, a node dies and tasks are preempted; the merged file has the bytes of the unsharded run.

Usage: slurm_test.py PROGRAM. Needs Debian's slurmctld, slurmd, slurm-client and munge; all that they write lies in a folder
of its own, and no other Slurm of this machine is touched.
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "embedding" / "job_array.sh"
PROGRAM = Path(sys.argv.pop(1)).resolve()
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
SEARCHED = f"{os.environ['PATH']}:/usr/sbin:/sbin"
SWEEP = """
restarts = 3
model = { n_features = 3, n_hidden = 2, n_experts = 2 }
train = { steps = 400000, batch = 256 }
axes = { sparsity = [0.1, 0.5, 0.9], last_importance = { start = 0.5, stop = 1.5, step = 0.25 }, seed = [0, 1] }
"""
# A container may have no control groups, so processes are found by their parents. What waits is short: a task that is
# queued again may start when its credential, of 5 s, has run out.
CONFIG = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=1,sched_min_interval=100000,bf_interval=1
SlurmdParameters=config_overrides
SlurmdTimeout=3
KillWait=3
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Slurm:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{PROGRAM.parent}:{SEARCHED}"}
        self.daemons = {}
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        text = CONFIG.format(folder=folder, ports=free_ports(3), user=getpass.getuser())
        (folder / "slurm.conf").write_text(text)
        self.start("munged", "-F", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
                   f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/seed")
        self.wait_for("munge's socket", (folder / "munge.socket").exists)
        self.start("slurmctld", "-D", "-i")
        for node in ("n1", "n2"):
            self.start("slurmd", "-D", "-N", node, name=node)
        self.wait_for("two idle nodes", lambda: self.said("sinfo", "-h", "-p", "all", "-o", "%D %t") == "2 idle")

    def start(self, program, *words, name=""):
        found = shutil.which(program, path=SEARCHED)
        with (self.folder / f"{name or program}.output").open("w") as log:
            daemon = subprocess.Popen([found, *words], env=self.environment, stdout=log, stderr=log)
        self.daemons[name or program] = daemon

    def said(self, *command):
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def states(self, job):
        """State of each task of an array, by its number."""
        lines = self.said("scontrol", "show", "job", job)
        return dict(re.findall(r"ArrayTaskId=(\d+) .*?JobState=(\w+)", lines, re.DOTALL))

    def wait_for(self, what, holds, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                logs = "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}" for log in sorted(self.folder.glob("*.log")))
                raise AssertionError(f"no {what} within {seconds} s\n{self.said('squeue')}\n{logs}")
            time.sleep(0.1)

    def close(self):
        self.said("scancel", "--user", getpass.getuser())  # which ends what they run
        end = time.monotonic() + 10
        while self.said("squeue", "-h") and time.monotonic() < end:
            time.sleep(0.1)
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()


def process_of(share):
    """The process that trains a share."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"phasegrid") and share.encode() in words:
            return int(entry.parent.name)
    return None


class JobArray(unittest.TestCase):
    def setUp(self):
        missing = [name for name in NEEDED if shutil.which(name, path=SEARCHED) is None]
        if missing:
            self.skipTest(f"the engine slurm does not install here: no {missing[0]}")
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "sweep.toml").write_text(SWEEP)
        self.slurm = Slurm(self.folder)
        self.addCleanup(self.slurm.close)

    def program(self, *words):
        done = subprocess.run([PROGRAM, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def output(self, job, task):
        return (self.folder / f"slurm-{job}_{task}.out").read_text()

    def test_a_killed_task_a_dead_node_and_preemption(self):
        slurm, results = self.slurm, self.folder / "results"
        partial = {task: results / f"sweep.shard-{task}-of-4.npz.partial" for task in range(1, 5)}
        job = slurm.said("sbatch", "--parsable", "--array=1-4", "--cpus-per-task=1", SCRIPT, "sweep.toml", "results",
                         "--checkpoint-seconds", "0.5")
        self.assertRegex(job, r"^\d+$")
        slurm.wait_for("checkpoint of every task", lambda: all(path.exists() for path in partial.values()))
        nodes = dict(re.findall(r"_(\d) (n\d)", slurm.said("squeue", "-h", "-o", "%K _%K %N")))
        on = {node: sorted(task for task, where in nodes.items() if where == node) for node in ("n1", "n2")}
        self.assertEqual([len(tasks) for tasks in on.values()], [2, 2], nodes)

        # A task of n1 is killed, as for want of memory: it failed, and is queued again by hand.
        killed = on["n1"][0]
        pid = process_of(f"{killed}/4")
        age = time.time() - partial[int(killed)].stat().st_mtime
        os.kill(pid, signal.SIGKILL)
        self.assertLess(age, 0.5 + 2, "what it loses is what it did since its checkpoint, and the model that it was at")
        slurm.wait_for("failed task", lambda: slurm.states(job)[killed] == "FAILED")
        slurm.said("scontrol", "requeue", f"{job}_{killed}")

        # A more urgent job takes n2: its tasks get SIGTERM, save, end before SIGKILL comes after KillWait,
        # and are queued again. (A GraceTime would pass before SIGTERM comes: Slurm tells steps of it, not a batch script.)
        urgent = slurm.said("sbatch", "--parsable", "-p", "urgent", "-w", "n2", "-c", "2", "--wrap", "sleep 1")
        slurm.wait_for("preemption", lambda: all("goes on from there" in self.output(job, task) for task in on["n2"]))

        # n1 dies with all that runs on it, which are a daemon for the node, one for the task, and the task. The node is given
        # up (by itself in half a minute, here at once), and Slurm queues the task again.
        task = process_of(f"{on['n1'][1]}/4")
        for pid in (parent(task), task, slurm.daemons["n1"].pid):
            kill(pid)
        slurm.said("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=died")

        slurm.wait_for("end of every task", lambda: set(slurm.states(job).values()) == {"COMPLETED"}, 120)
        slurm.wait_for("end of the urgent job", lambda: urgent not in slurm.said("squeue", "-h", "-o", "%A").split())
        for task in "1234":  # none began anew
            self.assertIn("going on from", self.output(job, task), f"task {task}, which was on {nodes[task]}")
        self.program("merge", *sorted(map(str, results.glob("*.shard-*.npz"))), "--out", "results")
        self.program("run", "sweep.toml", "--out", "whole.npz")
        self.assertEqual((results / "sweep.npz").read_bytes(), (self.folder / "whole.npz").read_bytes())


if __name__ == "__main__":
    unittest.main()
