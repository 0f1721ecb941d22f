"""Becomes a server process that ends when its parent dies, as another account where wanted.

Run as a script by `ServerProcess`, never imported: a function between fork and exec would run Python code in a forked
copy of a process with threads. Standard library only, because it starts without site-packages to be quick.

Arguments: parent's process id, signal number, account ("-" or uid:gid), then the command, an absolute path first.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change the account, ask the kernel for a signal at the parent's death (Linux), and turn into the command."""
    parent, death_signal, account, *command = sys.argv[1:]
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of account, which would clear it. Elsewhere than on Linux a killed parent leaves the server
    # running; the lock on its data directory then makes the next start say so.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the parent died before the server started")
    os.execv(command[0], command)  # noqa: S606 - the caller's own command, and no shell


if __name__ == "__main__":
    main()
