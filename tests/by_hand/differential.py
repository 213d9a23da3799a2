#!/usr/bin/env python3
"""Compare conntop with the kernel on random scenes, for as long as one likes.

    tests/by_hand/differential.py [--runs 300] [--seed 1] [--conntop target/release/conntop] [--source linux|procfs]

Each run makes a scene from its seed in namespaces of its own: listeners (IPv4, IPv6, dual stack, SO_REUSEPORT, bound to a
device), connections in every state that can be held still, shared and remote-owned sockets, UDP, sockets that are only bound,
MPTCP, a second network namespace. Then it asks the kernel itself (sock_diag and /proc, decoded here, with nothing of
conntop's) and conntop, compares every field of every socket, and asks conntop random filters whose answer is worked out here.
A scene that moves while it is looked at is looked at again. The exit status is 1 if anything differs; each difference names
the seed, with which --runs 1 --seed N makes the same scene again. Needs root, Linux, Python 3, util-linux, iproute2.
"""
import argparse, ipaddress, json, os, random, re, signal, socket, struct, subprocess, sys, time

STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE",
          8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV", 13: "BOUND"}
MPTCP = 262
LINGER0 = struct.pack("ii", 1, 0)


# The scene: one process that makes sockets until it is told to hold still.

class Scene:
    """Random sockets, made in the namespaces of the caller."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.keep, self.listeners, self.pids = [], [], []
        self.port = 7000

    def next_port(self):
        self.port += 1
        return self.port

    def listener(self):
        r = self.random
        kind = r.choice(["v4", "v4", "v4any", "v6", "v6only", "dual", "device", "reuseport", "mptcp"])
        port, count = self.next_port(), r.choice([2, 3]) if kind == "reuseport" else 1
        for _ in range(count):
            family = socket.AF_INET if kind in ("v4", "v4any", "device", "reuseport", "mptcp") else socket.AF_INET6
            try:
                s = socket.socket(family, socket.SOCK_STREAM, MPTCP if kind == "mptcp" else 0)
            except OSError:
                return
            if kind == "reuseport":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if kind == "device":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, kind == "v6only")
            address = {"v4any": "0.0.0.0", "device": "0.0.0.0", "v6": "::1", "v6only": "::", "dual": "::"}.get(kind, "127.0.0.1")
            s.bind((address, port))
            s.listen(r.choice([1, 3, 8, 128]))
            self.keep.append(s)
            self.listeners.append((kind, port, s))

    def connection(self):
        usable = [x for x in self.listeners if x[0] != "reuseport"]
        if not usable:
            return
        r = self.random
        kind, port, listener = r.choice(usable)
        v6 = kind in ("v6", "v6only") or kind == "dual" and r.random() < .5
        mapped = not v6 and kind in ("v4", "v4any", "dual") and r.random() < .2
        client = socket.socket(socket.AF_INET6 if v6 or mapped else socket.AF_INET, socket.SOCK_STREAM, MPTCP if kind == "mptcp" else 0)
        client.settimeout(.3)
        try:
            client.connect(("::1" if v6 else "::ffff:127.0.0.1" if mapped else "127.0.0.1", port))
        except OSError:
            self.keep.append(client) if r.random() < .5 else client.close()
            return
        self.keep.append(client)
        if r.random() < .2:  # it stays in the accept queue
            if r.random() < .3:
                client.shutdown(socket.SHUT_WR)
            return
        listener.settimeout(.3)
        try:
            server, _ = listener.accept()
        except OSError:
            return
        self.keep.append(server)
        for end in (client, server):
            if r.random() < .4:
                end.send(b"x" * r.randrange(1, 3000))
        for end in (client, server):
            if r.random() < .3:
                end.recv(r.randrange(1, 2000)) if select_readable(end) else None
        what = r.choice(["open", "open", "open", "client-half", "server-half", "both-half", "client-closed", "server-closed", "reset", "gone"])
        if what in ("client-half", "both-half"):
            client.shutdown(socket.SHUT_WR)
        if what in ("server-half", "both-half"):
            server.shutdown(socket.SHUT_WR)
        if what == "client-closed":
            self.keep.remove(client), client.close()
        if what == "server-closed":
            self.keep.remove(server), server.close()
        if what == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER0)
            self.keep.remove(client), client.close()
        if what == "gone":
            self.keep.remove(client), client.close(), self.keep.remove(server), server.close()

    def udp(self):
        r = self.random
        v6 = r.random() < .4
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        if v6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, r.random() < .5)
        host, port = "::1" if v6 else "127.0.0.1", self.next_port()
        s.bind((host if r.random() < .6 else ("::" if v6 else "0.0.0.0"), port))
        self.keep.append(s)
        if r.random() < .5:
            c = socket.socket(s.family, socket.SOCK_DGRAM)
            c.connect((host, port))
            self.keep.append(c)
            for _ in range(r.randrange(4)):
                c.send(b"y" * r.randrange(900))

    def bound(self):
        s = socket.socket(self.random.choice([socket.AF_INET, socket.AF_INET6]))
        s.bind(("", self.next_port()))
        self.keep.append(s)

    def syn_sent(self):
        """A listener whose queue is full does not answer."""
        s = socket.socket()
        s.bind(("127.0.0.1", self.next_port())), s.listen(0)
        self.keep.append(s)
        for _ in range(4):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(s.getsockname())
            self.keep.append(c)

    def fork(self):
        """A process that shares everything so far, perhaps as another user, perhaps with its own name."""
        pid = os.fork()
        if pid == 0:
            import ctypes
            name = self.random.choice([b"worker", b"caf\xc3\xa9", b"a b", b"null", b"x\x1b[31m"])
            ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
            keep = self.random.sample(self.keep, len(self.keep) // 2)
            for s in self.keep:
                if s not in keep:
                    s.close()
            if self.random.random() < .5:
                os.setuid(self.random.choice([1, 4711, 100123]))
                extra = socket.socket()
                extra.bind(("127.0.0.1", 6000 + os.getpid() % 900)), extra.listen(5)
            print("child", flush=True)
            signal.pause()
        self.pids.append(pid)

    def make(self):
        r = self.random
        for _ in range(r.randrange(2, 6)):
            self.listener()
        weights = {self.listener: 2, self.connection: 12, self.udp: 3, self.bound: 1, self.syn_sent: .5, self.fork: .7}
        for _ in range(r.randrange(5, 60)):
            r.choices(list(weights), weights.values())[0]()


def select_readable(s):
    import select
    return bool(select.select([s], [], [], .05)[0])


# What the kernel says.

def netlink(request):
    nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    nl.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    nl.send(request)
    while True:
        data = nl.recv(1 << 20)
        while data:
            length, kind = struct.unpack_from("IH", data)
            if kind == 3:
                return
            if kind == 2:
                error = -struct.unpack_from("i", data, 16)[0]
                raise OSError(error, os.strerror(error))
            yield data[16:length]
            data = data[(length + 3) & ~3:]


def dump(family, protocol, states):
    body = struct.pack("BBBBI", family, min(protocol, 255) if protocol < 256 else 6, 1 << 1, 0, states) + bytes(48)
    if protocol > 255:
        body += struct.pack("HHI", 8, 3, protocol)  # INET_DIAG_REQ_PROTOCOL
    yield from netlink(struct.pack("IHHII", 16 + len(body), 20, 0x301, 1, 0) + body)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if length < 4:
            break
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def kernel_sockets(with_bound=True):
    """Sockets of this namespace by cookie, as sock_diag tells them."""
    found = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol, name in ((6, "tcp"), (17, "udp"), (MPTCP, "mptcp")):
            states = 0xfff | (1 << 12) | ((1 << 13) if with_bound and name == "tcp" else 0)
            try:
                messages = list(dump(family, protocol, states))
            except OSError:
                continue
            for m in messages:
                row = decode(m, name)
                found[row["cookie"]] = row
    return found


def decode(m, name):
    family, state, timer, retransmits = struct.unpack_from("BBBB", m)
    sport, dport = struct.unpack_from("!HH", m, 4)
    size = 4 if family == socket.AF_INET else 16
    local, remote = (ipaddress.ip_address(m[at:at + size]) for at in (8, 24))
    interface, low, high = struct.unpack_from("III", m, 40)
    expires, rqueue, wqueue, uid, inode = struct.unpack_from("IIIII", m, 52)
    more = attributes(m[72:])
    row = {
        "proto": name, "family": "ipv4" if family == socket.AF_INET else "ipv6", "state": STATES[state], "laddr": local,
        "lport": sport, "raddr": remote, "rport": dport, "cookie": high << 32 | low, "interface": interface, "inode": inode,
        "uid": uid, "recvq": rqueue, "sendq": wqueue, "v6only": bool(more[11][0]) if 11 in more else None,
        "is_subflow": name == "tcp" and b"mptcp" in more.get(19, b""),  # INET_DIAG_ULP_INFO
    }
    if state == 7 and name != "mptcp":  # the kernel answers the question for bound-inactive sockets (bit 13) with CLOSE
        row["state"] = "UNCONN" if name == "udp" else "BOUND"
    return row


def kernel_owners():
    """Processes by the inode of a socket they hold."""
    owners = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    owners.setdefault(int(link[8:-1]), set()).add(int(pid))
        except OSError:
            pass
    return owners


# What conntop says.

class Conntop:
    def __init__(self, program, source):
        self.program, self.source = program, source

    def run(self, *words):
        command = [self.program, *words, "--source", self.source, "--no-trace", "--config", "/dev/null"]
        r = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if r.returncode not in (0, 1) or "panicked" in r.stderr:
            raise RuntimeError(f"{command} ended with {r.returncode}: {r.stderr[:500]}")
        return r.stdout

    def rows(self, *words):
        return [json.loads(line) for line in self.run("list", "--format", "ndjson", *words).splitlines()]


def text_of(address):
    return str(address)


def expected(row, owners):
    """The fields of conntop's JSON that follow from what the kernel says."""
    has_peer = row["rport"] != 0 or int(row["raddr"]) != 0
    mini = row["state"] in ("TIME_WAIT",) or row["state"] == "FIN_WAIT2" and row["inode"] == 0
    want = {"proto": row["proto"], "family": row["family"], "state": row["state"], "lport": row["lport"] or None,
            "rport": row["rport"] or None, "inode": row["inode"] or None}
    if row["state"] == "LISTEN":
        want |= {"backlog": row["recvq"], "backlog_limit": row["sendq"]}
    elif not mini and row["state"] not in ("SYN_RECV", "BOUND"):
        want |= {"recvq_bytes": row["recvq"], "sendq_bytes": row["sendq"]}
    if row["is_subflow"]:  # it belongs to its MPTCP socket, which is compared by itself
        del want["inode"]
        return want | addresses(row, has_peer)
    pids = owners.get(row["inode"], set()) if row["inode"] else set()
    if pids:
        want |= {"owner": "live", "pid": min(pids), "pids": sorted(pids)}
    elif row["inode"] == 0 and row["state"] in ("ESTABLISHED", "CLOSE_WAIT"):
        want |= {"owner": "unaccepted", "pid": None}
    if row["inode"]:
        want["uid"] = row["uid"]
    return want | addresses(row, has_peer)


def addresses(row, has_peer):
    return {"laddr": text_of(canonical(row["laddr"])), "raddr": text_of(canonical(row["raddr"])) if has_peer else None}


def canonical(address):
    return getattr(address, "ipv4_mapped", None) or address


def address_in(text):
    """An address of conntop's JSON, without its zone."""
    return None if text is None else text_of(canonical(ipaddress.ip_address(text.split("%")[0])))


def got(row):
    have = {key: row.get(key) for key in ("proto", "family", "state", "lport", "rport", "inode", "backlog", "backlog_limit",
                                          "recvq_bytes", "sendq_bytes", "owner", "pid", "uid")}
    have["pids"] = [owner["pid"] for owner in row.get("owners") or []]
    have |= {"laddr": address_in(row["laddr"]), "raddr": address_in(row["raddr"])}
    return have


# Random filters, each with its own evaluation.

def number(row, key):
    return row.get({"recvq": "recvq_bytes", "sendq": "sendq_bytes"}.get(key, key))


def word_filter(r, rows):
    """A condition as text, and a function that says whether a row passes it."""
    sample = r.choice(rows)
    kind = r.randrange(11)
    if kind == 0:
        key = r.choice(["lport", "rport"])
        value = sample[key] or 80
        return f"{key}:{value}", lambda row: row[key] == value
    if kind == 1:
        key, low = r.choice(["lport", "rport"]), r.randrange(1, 60000)
        high = low + r.randrange(6000)
        high = min(high, 65535)
        return f"{key}:{low}-{high}", lambda row: row[key] is not None and low <= row[key] <= high
    if kind == 2:
        state = sample["state"]
        spelled = r.choice([state, state.lower(), state.replace("_", "-").lower()])
        return f"state:{spelled}", lambda row: row["state"] == state
    if kind == 3:
        key = r.choice(["laddr", "raddr"])
        address = address_in(sample[key]) or "127.0.0.1"
        network = ipaddress.ip_network((address, r.choice([8, 16, 32]) if "." in address else r.choice([64, 128])), strict=False)
        def inside(row):
            text = address_in(row[key])
            if text is None:
                return False
            return matches_network(row, key, ipaddress.ip_address(text), network)
        return f"{key}:{network}", inside
    if kind == 4:
        key = r.choice(["pid", "process", "rport", "raddr", "rtt", "verdict", "user", "inode", "timer", "backlog", "recvq", "owner", "unit", "age"])
        names = {"rtt": "rtt_seconds", "recvq": "recvq_bytes", "age": "age_seconds"}
        field = names.get(key, key)
        return f"{key}:{r.choice(['null', '?'])}", lambda row: row[field] is None
    if kind == 5:
        key, limit = r.choice(["recvq", "sendq", "inode", "lport"]), r.choice([0, 1, 100, 1000, 7010])
        sign, test = r.choice([(">", lambda a: a > limit), (">=", lambda a: a >= limit), ("<", lambda a: a < limit), ("<=", lambda a: a <= limit)])
        return f"{key}{sign}{limit}", lambda row: number(row, key) is not None and test(number(row, key))
    if kind == 6:
        name = r.choice(["worker", "python3", "python", "nobody-like-that"])
        return f"process:{name}", lambda row: any(name in o["process"].lower() for o in row.get("owners") or [])
    if kind == 7:
        owner = r.choice(["live", "unaccepted", "none", "hidden"])
        return f"owner:{owner}", lambda row: row["owner"] == owner
    if kind == 8:
        value = r.choice(["tcp", "udp", "mptcp"])
        return f"proto:{value}", lambda row: row["proto"] == value
    if kind == 9:
        pid = sample["pid"] or 1
        return f"pid:{pid}", lambda row: any(o["pid"] == pid for o in row.get("owners") or [])
    value = r.choice(["ipv4", "ipv6"])
    return f"family={value}", lambda row: row["family"] == value


def matches_network(row, key, address, network):
    """As `explain filter` has it: a dual-stack wildcard of ours is 0.0.0.0 too."""
    if address.version == network.version and address in network:
        return True
    serves_v4 = key == "laddr" and row["family"] == "ipv6" and int(address) == 0 and row.get("v6only") is False
    return serves_v4 and network.version == 4 and ipaddress.ip_address("0.0.0.0") in network


def tree(r, rows, depth=0):
    kind = r.randrange(5) if depth < 3 else 0
    if kind <= 1:
        return word_filter(r, rows)
    if kind == 2:
        text, test = tree(r, rows, depth + 1)
        return f"{r.choice(['!', 'not '])}({text})", lambda row: not test(row)
    (a, test_a), (b, test_b) = tree(r, rows, depth + 1), tree(r, rows, depth + 1)
    if kind == 3:
        return f"({a}){r.choice([' ', ' and '])}({b})", lambda row: test_a(row) and test_b(row)
    return f"({a}) or ({b})", lambda row: test_a(row) or test_b(row)


# One run.

class Tally:
    def __init__(self):
        self.cells = self.sockets = self.filters = 0
        self.differences = []

    def differ(self, sentence):
        self.differences.append(sentence)


def compare(conntop, seed, tally):
    for _ in range(20):
        before = kernel_sockets()
        rows = conntop.rows()
        after, owners = kernel_sockets(), kernel_owners()
        still = {c: (r["state"], r["recvq"], r["sendq"]) for c, r in before.items()} == {c: (r["state"], r["recvq"], r["sendq"]) for c, r in after.items()}
        if still:
            break
        time.sleep(.1)
    else:
        tally.differ("the scene never stood still")
        return rows
    by_cookie = {}
    listed = {r["inode"] for r in after.values()}
    for row in rows:
        cookie = row["cookie"]
        if cookie is None:
            # A socket that left the kernel's tables (it was reset, or never connected) and that a process still holds.
            if row["state"] != "CLOSE" or row["inode"] in listed or row["inode"] not in owners:
                tally.differ(f"without a cookie: {row['proto']} {row['state']} inode {row['inode']}")
            continue
        if cookie in by_cookie:
            tally.differ(f"cookie {cookie} is listed twice")
        by_cookie[cookie] = row
    for cookie, row in after.items():
        tally.sockets += 1
        ours = by_cookie.pop(cookie, None)
        name = f"{row['proto']} {row['state']} {row['laddr']}:{row['lport']} {row['raddr']}:{row['rport']}"
        if ours is None:
            tally.differ(f"missing: {name}")
            continue
        have = got(ours)
        for key, value in expected(row, owners).items():
            tally.cells += 1
            if have[key] != value:
                tally.differ(f"{name}: {key} is {value!r} and told as {have[key]!r}")
    for row in by_cookie.values():
        tally.differ(f"not in the kernel's table: {row['proto']} {row['state']} {row['laddr']}:{row['lport']} {row['raddr']}:{row['rport']}")
    return rows


def identity(row):
    """What tells a row from all others; sockets that the kernel lists no more have no cookie."""
    return row["cookie"] or 0, row["inode"] or 0


def compare_filters(conntop, r, rows, tally, count):
    for _ in range(count):
        text, test = tree(r, rows)
        ours = sorted(identity(row) for row in conntop.rows(text))
        now = conntop.rows()
        want = sorted(identity(row) for row in now if test(row))
        tally.filters += 1
        if ours != want:
            # The table may have moved between the two looks: once more before it counts.
            again, now = sorted(identity(row) for row in conntop.rows(text)), conntop.rows()
            want = sorted(identity(row) for row in now if test(row))
            if again != want:
                odd = [row for row in now if (identity(row) in again) != (identity(row) in want)]
                tally.differ(f"filter {text!r}: {len(again)} rows and not {len(want)}; first: {odd[:1]}")


def one(conntop, seed, filters):
    """Inside the namespaces: makes the scene in a child, compares, and reports as JSON on stdout."""
    tally, r = Tally(), random.Random(seed * 7 + 1)
    reader, writer = os.pipe()
    if os.fork() == 0:
        scene = Scene(seed)
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        try:
            scene.make()
        finally:
            os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    time.sleep(.3)
    rows = compare(conntop, seed, tally)
    if rows and filters:
        compare_filters(conntop, r, rows, tally, filters)
    json.dump(vars(tally), sys.stdout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=300)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--filters", type=int, default=20, help="random filters a run")
    ap.add_argument("--conntop", default="target/release/conntop")
    ap.add_argument("--source", default="linux")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = ap.parse_args()
    conntop = Conntop(os.path.abspath(a.conntop), a.source)
    if a.inside:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return one(conntop, a.seed, a.filters)
    if os.geteuid() != 0:
        sys.exit("this makes namespaces: run it as root")
    total, begun = Tally(), time.time()
    for seed in range(a.seed, a.seed + a.runs):
        command = ["unshare", "-npmf", "--mount-proc", "--kill-child", sys.executable, os.path.abspath(__file__), "--inside", "--seed", str(seed),
                   "--filters", str(a.filters), "--conntop", conntop.program, "--source", a.source]
        r = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        try:
            found = json.loads(r.stdout)
        except ValueError:
            found = {"cells": 0, "sockets": 0, "filters": 0, "differences": [f"the run broke: {r.stderr.strip()[-600:]}"]}
        total.cells += found["cells"]
        total.sockets += found["sockets"]
        total.filters += found["filters"]
        for sentence in found["differences"]:
            total.differ(sentence)
            print(f"seed {seed}: {sentence}", flush=True)
    print(f"{a.runs} scenes, {total.sockets} sockets, {total.cells} fields and {total.filters} filters compared, "
          f"{len(total.differences)} differences, {time.time() - begun:.0f} s")
    sys.exit(bool(total.differences))


if __name__ == "__main__":
    main()
