"""What a process has used, as Linux tells it in /proc (proc(5))."""

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process and all its threads have taken, in user mode and in the kernel."""
    # The name in parentheses may itself hold spaces and parentheses.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has held resident, in millions of bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kibibytes * 1024 / 1e6
