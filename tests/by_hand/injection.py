#!/usr/bin/env python3
"""Let system calls of conntop fail, one at a time, and see that it neither hangs, panics nor lies.

    tests/by_hand/injection.py [--runs 300 | --all] [--seed 1] [--conntop target/release/conntop]

Every cell is a command, a system call, an errno and which calls fail (the first, the third, a late one, all from the tenth
on): strace injects it. A cell is wrong if conntop
  - does not end in time (HANG), or is ended by a signal, or panics (PANIC),
  - ends with an exit code that its contract does not have (CODE),
  - says that all is well and prints less than without the failure, with no sentence on stderr or in the output (LIE).
It prints a table, errno by system call, of what came of it, and each wrong cell with the command that repeats it.
The scene (a dozen sockets in known states) is in namespaces of its own. Needs root, strace, Python 3, util-linux, iproute2;
without strace it says SKIPPED and exits with 77.
"""
import argparse, json, os, pty, random, select, shutil, signal, socket, subprocess, sys, tempfile, time

SYSCALLS = ["openat", "read", "pread64", "getdents64", "readlinkat", "statx", "newfstatat", "socket", "bind", "sendto", "recvfrom",
            "recvmsg", "setsockopt", "mmap", "poll", "ppoll", "perf_event_open", "clone3", "setns", "write", "ioctl", "pidfd_open",
            "getrandom", "sched_getaffinity", "eventfd2", "epoll_create1", "epoll_wait", "fcntl", "lseek", "prlimit64"]
ERRNOS = ["ENOMEM", "EIO", "EMFILE", "ENFILE", "EACCES", "EPERM", "EINTR", "ENOBUFS", "EAGAIN", "ENOSYS", "ENOENT", "EINVAL"]
WHEN = ["1", "3", "17", "10+"]
# Errors that the kernel never gives for a call prove nothing.
ONLY = {"epoll_wait": {"EINTR"}, "poll": {"EINTR", "ENOMEM"}, "ppoll": {"EINTR", "ENOMEM"}, "mmap": {"ENOMEM", "EPERM", "EACCES", "EAGAIN"},
        "clone3": {"ENOMEM", "EAGAIN", "EPERM", "ENOSYS"}, "getrandom": {"ENOSYS", "EINTR", "EPERM"}, "write": {"EIO", "EINTR", "EAGAIN", "ENOMEM", "EPERM"}}
NEW_CALLS = {"statx", "perf_event_open", "clone3", "setns", "pidfd_open", "getrandom", "prlimit64", "eventfd2", "socket"}


def is_possible(syscall, errno):
    return errno in ONLY.get(syscall, ERRNOS) and (errno != "ENOSYS" or syscall in NEW_CALLS)


# What each command may end with, and how long it may take under strace.
COMMANDS = {
    "list --format json": ({0, 1}, 20),
    "list": ({0, 1}, 20),
    "list --group-by state --format json": ({0, 1}, 20),
    "ports --format json": ({0, 1}, 20),
    "netstat -abno": ({0, 1}, 20),
    "netstat -esr": ({0, 1}, 20),
    "check --for 1.2 --format json": ({0, 1, 2, 3}, 30),
    "watch --for 1.2 --format ndjson": ({0, 1}, 30),
    "record --count 3 --interval 0.2 RECORDING": ({0, 1}, 30),
    "list --source procfs --format json": ({0, 1}, 20),
    "list --all-netns --format json": ({0, 1}, 20),
    # 2: where it cannot be read whether /proc is of this pid namespace, they refuse.
    "kill --dry-run --format json lport:7000": ({0, 1, 2}, 20),
    "close --dry-run --format json port:7000": ({0, 1, 2}, 20),
    "explain EADDRINUSE": ({0, 1}, 10),
    "SCREEN": ({0, 1, 129}, 30),
}


def make_scene():
    """A listener, connections in several states, UDP, and a process that shares them; kept by a child that sleeps."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        listener = socket.create_server(("127.0.0.1", 7000), backlog=8)
        keep = [listener]
        for half in (False, True, False):
            client = socket.create_connection(("127.0.0.1", 7000))
            keep += [client, listener.accept()[0]]
            if half:
                client.shutdown(socket.SHUT_WR)
        keep.append(socket.create_connection(("127.0.0.1", 7000)))
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.1", 7001))
        keep.append(u)
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)


class Cell:
    def __init__(self, command, syscall, errno, when):
        self.command, self.syscall, self.errno, self.when = command, syscall, errno, when

    def strace(self, program, folder):
        words = [program, *self.command.replace("RECORDING", f"{folder}/r.conntop").split()] if self.command != "SCREEN" else [program]
        inject = f"inject={self.syscall}:error={self.errno}:when={self.when}"
        return ["strace", "-f", "-qq", "-o", f"{folder}/trace", "-e", f"trace={self.syscall}", "-e", inject, *words, "--config", "/dev/null"]


def run(words, limit):
    """The exit code (None: did not end in time), stdout and stderr."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            code = None
        out.seek(0), err.seek(0)
        return code, out.read().decode(errors="replace"), err.read().decode(errors="replace")


def run_screen(words, limit):
    """The screen in a terminal of its own: q after two seconds."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(words[0], words)
    begun, pressed, seen = time.time(), False, b""
    while time.time() - begun < limit:
        if not pressed and time.time() - begun > 2:
            pressed = True
            try:
                os.write(terminal, b"q")
            except OSError:
                pass
        if select.select([terminal], [], [], .1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
    else:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None, "", ""
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = seen.decode(errors="replace")
    return os.waitstatus_to_exitcode(status), text, text


def amount(command, text):
    """How much was told: what a failure must not lessen in silence."""
    try:
        if "--format json" in command:
            document = json.loads(text)
            lists = [document[key] for key in ("sockets", "groups", "listeners", "targets", "findings") if key in document]
            rows = lists[0] if lists else []
            known = sum(1 for row in rows for key in ("pid", "process", "processes") if isinstance(row, dict) and row.get(key))
            return len(rows), known
    except ValueError:
        return -1, 0
    return len(text.splitlines()), 0


def is_said(command, text, err):
    if err.strip():
        return True
    try:
        coverage = json.loads(text).get("coverage", {})
        return bool(coverage.get("degraded"))
    except (ValueError, AttributeError):
        return "UNKNOWN" in text


def is_before_main(result):
    """The loader of shared libraries and the allocator end a program by themselves: nothing of ours runs then."""
    code, out, err = result
    text = out + err
    return "error while loading shared libraries" in text or "memory allocation of" in text or code == -11 and not text.strip()


def judge(cell, baseline, result):
    codes, _ = COMMANDS[cell.command]
    code, out, err = result
    if code is None:
        return "HANG"
    # 129: a terminal that is gone ends the program as a SIGHUP does.
    if code < 0 or code >= 128 and (cell.command, code) != ("SCREEN", 129) or "panicked" in out + err:
        return "PANIC"
    if code not in codes:
        return "CODE"
    if cell.command == "SCREEN" or cell.command.startswith(("record", "watch")):
        return "ok" if code == 0 else "told"
    if code != 0 and not err.strip() and not out.strip():
        return "LIE"
    told, known = amount(cell.command, out)
    less = told < baseline[0] or known < baseline[1]
    if code == 0 and less and not is_said(cell.command, out, err):
        return "LIE"
    return "ok" if code == 0 and not less else "told"


def inside(a):
    program = os.path.abspath(a.conntop)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    make_scene()
    folder = tempfile.mkdtemp(prefix="injection")
    baseline = {}
    for command in COMMANDS:
        if command != "SCREEN":
            words = [program, *command.replace("RECORDING", f"{folder}/b.conntop").split(), "--config", "/dev/null"]
            _, out, _ = run(words, 30)
            baseline[command] = amount(command, out)
    cells = [Cell(c, s, e, w) for c in COMMANDS for s in SYSCALLS for e in ERRNOS for w in WHEN if is_possible(s, e)]
    if not a.all:
        cells = random.Random(a.seed).sample(cells, min(a.runs, len(cells)))
    table, wrong, injected, not_ours = {}, [], 0, 0
    for cell in cells:
        for name in ("r.conntop", "trace"):
            if os.path.exists(f"{folder}/{name}"):
                os.unlink(f"{folder}/{name}")
        words, limit = cell.strace(program, folder), COMMANDS[cell.command][1]
        result = run_screen(words, limit) if cell.command == "SCREEN" else run(words, limit)
        try:
            if "INJECTED" not in open(f"{folder}/trace", errors="replace").read():
                continue  # conntop made no such call, or not so many
        except OSError:
            continue
        if is_before_main(result):
            not_ours += 1
            continue
        injected += 1
        verdict = judge(cell, baseline.get(cell.command, (0, 0)), result)
        table.setdefault((cell.syscall, cell.errno), []).append(verdict)
        if verdict not in ("ok", "told"):
            wrong.append(f"{verdict}: {' '.join(words)} -> {result[0]}, {result[2].strip()[-200:]!r}")
            print(wrong[-1], flush=True)
    shutil.rmtree(folder)
    columns = [e for e in ERRNOS if any(key[1] == e for key in table)]
    print(f"\n{'':18}" + "".join(f"{e:>9}" for e in columns) + "   (not affected/told/wrong)")
    for syscall in SYSCALLS:
        row = [table.get((syscall, e), []) for e in columns]
        if any(row):
            cell = lambda v: f"{v.count('ok')}/{v.count('told')}/{len(v) - v.count('ok') - v.count('told')}" if v else "-"
            print(f"{syscall:18}" + "".join(f"{cell(v):>9}" for v in row))
    print(f"{len(cells)} runs, {injected} with a failure injected ({not_ours} more ended in the loader or the allocator), {len(wrong)} wrong")
    return bool(wrong)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=300)
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--conntop", default="target/release/conntop")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = ap.parse_args()
    if not shutil.which("strace"):
        print("SKIPPED: strace is not installed", file=sys.stderr)
        sys.exit(77)
    if a.inside:
        sys.exit(inside(a))
    if os.geteuid() != 0:
        sys.exit("this makes namespaces: run it as root")
    words = [sys.executable, os.path.abspath(__file__), "--inside", *sys.argv[1:]]
    sys.exit(subprocess.run(["unshare", "-npmf", "--mount-proc", "--kill-child", *words]).returncode)


if __name__ == "__main__":
    main()
