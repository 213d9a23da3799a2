#!/usr/bin/env python3
"""A flight recorder beside real churn, for an hour: what it takes of memory, descriptors, disk and processor, each minute.

    tests/by_hand/recorder_soak.py target/release/conntop [MINUTES [CONNECTIONS_A_SECOND [IDLE_SOCKETS]]]

It makes its own network namespace (unshare -n), sends traffic to 127.0.0.0/8 there alone, and records into a temporary directory with
limits so small that segments are removed all the time. It ends with exit code 1 where the last half is not flat, where the directory
is larger than was allowed, or where what was recorded cannot be played.
"""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

MAX_SIZE = 8_000_000
KEEP = "5m"
SERVED = 7_001


def inside_namespace():
    """Starts this program again in a network namespace of its own."""
    if os.environ.get("RECORDER_SOAK_INSIDE"):
        return
    os.environ["RECORDER_SOAK_INSIDE"] = "1"
    shell = 'ip link set lo up && exec "$0" "$@"'
    os.execvp("unshare", ["unshare", "-n", "sh", "-c", shell, sys.executable, *sys.argv])


def idle(count):
    """Both ends of `count` connections that do nothing."""
    listener = socket.create_server(("127.1.0.1", 7_000), backlog=4_096)
    ends = []
    for _ in range(count // 2):
        client = socket.create_connection(("127.1.0.1", 7_000))
        ends += [client, listener.accept()[0]]
    return ends


def churn(rate, ended):
    """Opens and closes `rate` connections a second until `ended`; every tenth is held for a while first."""
    listener = socket.create_server(("0.0.0.0", SERVED), backlog=4_096)
    begun, number, held = time.monotonic(), 0, []
    while not ended.is_set():
        client = socket.create_connection((f"127.2.0.{number % 200 + 1}", SERVED))
        server = listener.accept()[0]
        client.sendall(b"x" * (number % 1_000 + 1))
        held.append((client, server))
        if number % 10 or len(held) > 500:
            for end in held.pop(0):
                end.close()
        number += 1
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))


def status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def taken(directory):
    """What the files of the directory take of the disk, and how many segments there are."""
    files = []
    for path in directory.iterdir():
        try:
            files.append((path, path.stat().st_blocks * 512))
        except FileNotFoundError:
            pass  # Removed since it was listed.
    return sum(size for _, size in files), sum(path.suffix == ".conntop" for path, _ in files)


def main():
    inside_namespace()
    program = os.path.abspath(sys.argv[1])
    minutes, rate, sockets = (int(word) for word in (sys.argv[2:] + ["60", "200", "2000"][len(sys.argv) - 2:])[:3])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = idle(sockets)
    ended = threading.Event()
    threading.Thread(target=churn, args=(rate, ended), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder) / "recorder"
        command = [program, "record", "--config", "/dev/null", "--keep", KEEP, "--max-size", str(MAX_SIZE), str(directory)]
        recorder = subprocess.Popen(command)
        time.sleep(2)
        print(f"{len(kept)} idle sockets, {rate} connections a second, {minutes} min, at most {MAX_SIZE} bytes, {KEEP}")
        print("minute  RSS KiB  descriptors  bytes  segments  % of a core", flush=True)
        rows, largest, before = [], 0, processor_seconds(recorder.pid)
        for minute in range(1, minutes + 1):
            end = time.monotonic() + 60
            while time.monotonic() < end:
                largest = max(largest, taken(directory)[0])
                time.sleep(0.5)
            now = processor_seconds(recorder.pid)
            size, segments = taken(directory)
            rows.append((status(recorder.pid, "VmRSS"), len(os.listdir(f"/proc/{recorder.pid}/fd"))))
            print(f"{minute:6}  {rows[-1][0]:7}  {rows[-1][1]:11}  {size}  {segments:8}  {(now - before) / 0.6:.2f}", flush=True)
            before = now
        recorder.send_signal(signal.SIGTERM)
        code = recorder.wait(30)
        played = subprocess.run(
            [program, "list", "--config", "/dev/null", "--source", f"replay:{directory}", "--count-only"], capture_output=True, text=True
        )
    ended.set()
    half = rows[len(rows) // 2:]
    memory, descriptors = [row[0] for row in half], {row[1] for row in half}
    faults = []
    if code != 0:
        faults.append(f"it ended with {code}")
    if largest > MAX_SIZE:
        faults.append(f"the directory took {largest} bytes")
    if max(memory) > min(memory) * 1.1:
        faults.append(f"memory went from {min(memory)} to {max(memory)} KiB in the last half")
    if max(descriptors) - min(descriptors) > 2:
        faults.append(f"descriptors in the last half: {sorted(descriptors)}")
    if played.returncode != 0:
        faults.append(f"it cannot be played: {played.stderr.strip()}")
    print(f"the directory took at most {largest} bytes; " + ("; ".join(faults) or "all is flat"))
    sys.exit(bool(faults))


main()
