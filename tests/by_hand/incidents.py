#!/usr/bin/env python3
"""Real programs in trouble that tests/scenarios/real_programs.rs does not carry: what conntop says, beside what is true.

    tests/by_hand/incidents.py [NAME ...] [--conntop target/release/conntop] [--at-once 2]

Each incident runs in network and process namespaces of its own. It prints what is true (its docstring, and what ss(8) counts), and the
findings of `conntop check` one a line, the first one first. Nothing is asserted: read it. Needs root, Linux, Python 3, iproute2,
util-linux, nftables, and of Debian: nginx redis-server redis-tools php-fpm memcached pgbouncer postgresql-15 nodejs default-jdk-headless curl.
"""
import glob, os, signal, socket, struct, subprocess, sys, threading, time
import programs
from programs import (PG, as_user, conntop, dial, later, listening, main, nginx, pgbouncer, postgres, python, redis, run, sh, skip,
                      slow, ss, write)


def told(truth, seconds=10, *words):
    """Looks for so long, and prints the truth beside what was said."""
    code, lines, errors = conntop("--for", str(seconds), *words)
    caller = sys._getframe(1).f_code.co_name
    print(f"\n    true:  {' '.join(globals()[caller].__doc__.split())} ({truth})")
    print(f"    says:  {lines[0].split(' | ')[0] if lines else errors.strip()} [exit {code}]")
    for line in lines[1:]:
        if line.startswith("["):
            print("          ", line)


def dead_network():
    """10.77.0.2 to 10.77.0.9 and all of 10.78.0.0/16 lead to nobody."""
    for line in ("link add name void type veth peer name nobody", "address add 10.77.0.1/24 dev void", "link set void up", "link set nobody up",
                 *(f"neighbour add 10.77.0.{n} lladdr 02:00:00:00:00:02 dev void nud permanent" for n in range(2, 10)),
                 "route add 10.78.0.0/16 via 10.77.0.2"):
        run("ip", *line.split())


def clients(number, ask):
    """So many threads that do it once."""
    for _ in range(number):
        threading.Thread(target=ask, daemon=True).start()


def get(port, path="/", wait=60):
    sock = dial(port, timeout=wait)
    sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    return sock.recv(65536)


def tuned(path, value):
    with open("/proc/sys/net/" + path, "w") as file:
        file.write(str(value))


def php_fpm_queue():
    """php-fpm with 2 children, both busy, has a full accept queue on 127.0.0.1:9000; nginx waits for it."""
    fpm = (glob.glob("/usr/sbin/php-fpm*") or skip("it needs php-fpm"))[0]
    conf = write("fpm.conf", f"[global]\nerror_log = {programs.DIR}/fpm.log\ndaemonize = no\n[www]\nlisten = 127.0.0.1:9000\nlisten.backlog = 8\n"
                 "pm = static\npm.max_children = 2\n")
    write("slow.php", "<?php sleep(60);")
    sh(fpm, "-n", "-R", "-F", "-y", conf, env={**os.environ, "USER": "root"})
    listening(9000)
    nginx(8080, f"server {{ listen 127.0.0.1:8080; location / {{ fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME {programs.DIR}/slow.php;"
          " fastcgi_param REQUEST_METHOD GET; } }")
    clients(40, lambda: get(8080))
    time.sleep(3)
    queue = subprocess.getoutput("ss -Htln sport = :9000").split()[1:3]
    told(f"accept queue {queue[0]} of {queue[1]}, {ss('state', 'syn-sent', 'dport', '=', ':9000')} of nginx in SYN_SENT")


def pgbouncer_of_a_stopped_postgres():
    """postgres is stopped, and pgbouncer on :6432 is refused by 127.0.0.1:5432 again and again."""
    server = postgres(5432)
    pgbouncer(6432, 5432, server_login_retry="0.1", query_wait_timeout=120)
    server.send_signal(signal.SIGINT), server.wait()
    sh(*as_user("postgres", PG + "/pgbench", "-n", "-h", "127.0.0.1", "-p", "6432", "-c", "10", "-T", "60", "postgres"))
    time.sleep(5)
    told("10 clients wait")


def postgres_clients_without_answer():
    """The host of 3 clients of postgres is gone without a word while postgres sends them rows: dead peers."""
    dead_network()
    run("ip", "netns", "add", "far")
    for line in ("link set nobody netns far", "-n far address add 10.77.0.2/24 dev nobody", "-n far link set nobody up", "-n far link set lo up"):
        run("ip", *line.split())
    run("ip", "neighbour", "flush", "dev", "void", "nud", "permanent")
    postgres(5432, listen_addresses="*")
    write("data/pg_hba.conf", "host all all all trust\n")
    run(*as_user("postgres", PG + "/pg_ctl", "-D", programs.DIR + "/data", "reload"))
    sql = "select pg_sleep(0.1), repeat('x', 10000) from generate_series(1, 100000)"
    for _ in range(3):
        sh("ip", "netns", "exec", "far", "psql", "-h", "10.77.0.1", "-U", "postgres", "-v", "FETCH_COUNT=1", "-c", sql, "postgres")
    time.sleep(3)
    run("nft", "add table inet wall; add chain inet wall input { type filter hook input priority 0; }; add rule inet wall input ip saddr 10.77.0.2 drop")
    time.sleep(70)
    told("no ACK for 70 s")


def node_leak():
    """node serves :8070 with allowHalfOpen and never ends what its 120 clients have closed: 120 in CLOSE_WAIT."""
    sh("node", "-e", "require('net').createServer({allowHalfOpen: true}, s => { s.on('data', () => s.write('ok')) }).listen(8070, '127.0.0.1')")
    listening(8070)
    for _ in range(119):
        with dial(8070) as sock:
            sock.send(b"hello"), sock.recv(10)
    time.sleep(2)
    told(f"{ss('state', 'close-wait', 'sport', '=', ':8070')} in CLOSE_WAIT")


def java_leak():
    """A Java client keeps 120 connections to nginx :8080 that nginx has closed after a second."""
    nginx(8080, "keepalive_timeout 1s; server { listen 127.0.0.1:8080; }")
    path = write("Leak.java", """
import java.net.*; import java.util.*;
public class Leak { public static void main(String[] a) throws Exception {
    List<Socket> kept = new ArrayList<>();
    for (int i = 0; i < 120; i++) {
        Socket s = new Socket("127.0.0.1", 8080); kept.add(s);
        s.getOutputStream().write("GET /small HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".getBytes());
        s.getInputStream().read(new byte[1000]);
    }
    Thread.sleep(100000);
} }""")
    sh("java", path)
    for _ in range(60):
        time.sleep(1)
        if ss("state", "close-wait", "dport", "=", ":8080") == 120:
            break
    told(f"{ss('state', 'close-wait', 'dport', '=', ':8080')} in CLOSE_WAIT")


def memcached_client_does_not_read():
    """A loader asks memcached :11211 for 100 MB and never reads them: the loader is at fault, not memcached."""
    sh("memcached", "-u", "root", "-l", "127.0.0.1", "-p", "11211", "-I", "2m")
    listening(11211)
    with dial(11211) as sock:
        sock.sendall(b"set k 0 0 1000000\r\n" + b"x" * 1000000 + b"\r\n"), sock.recv(100)
    python("sock = socket.create_connection(('127.0.0.1', 11211)); sock.send(b'get k\\r\\n' * 100); print('ready', flush=True); time.sleep(999)", name="loader")
    time.sleep(2)
    told(subprocess.getoutput("ss -Htn dport = :11211"), 20)


def redis_subscriber_reads_slowly():
    """A feed reads 4 kB a second of the MB that redis publishes: it reads, but too slowly."""
    redis(6379, "--client-output-buffer-limit", "pubsub", "0", "0", "0")
    python("sock = socket.create_connection(('127.0.0.1', 6379)); sock.send(b'SUBSCRIBE news\\r\\n'); print('ready', flush=True)\n"
           "while True: sock.recv(400), time.sleep(0.1)", name="feed")
    news = dial(6379)
    for _ in range(100):
        news.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$100000\r\n" + b"x" * 100000 + b"\r\n"), news.recv(100)
    time.sleep(10)
    told(subprocess.getoutput("ss -Htn sport = :6379 | head -n 2"), 20)


def curl_without_dns():
    """The name server 10.77.0.2 does not answer: curls hang in the resolver, with a UDP socket to :53 each."""
    dead_network()
    run("mount", "--bind", write("resolv.conf", "nameserver 10.77.0.2\noptions timeout:5 attempts:2\n"), "/etc/resolv.conf")
    for _ in range(3):
        sh("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do curl -s http://shop.example.com/; done")
    time.sleep(8)
    told(subprocess.getoutput("ss -Huanp dport = :53 | head -n 1"), 12)


def curls_to_a_dead_host():
    """30 curls call one dead host, 10.77.0.2:80, each for 60 s: one cause."""
    dead_network()
    for _ in range(30):
        sh("curl", "-s", "--connect-timeout", "60", "http://10.77.0.2/")
    time.sleep(3)
    told(f"{ss('state', 'syn-sent')} in SYN_SENT")


def nginx_at_its_descriptor_limit():
    """nginx may have 256 descriptors (worker_rlimit_nofile) and has about 240."""
    nginx(8080, "keepalive_timeout 300s; server { listen 127.0.0.1:8080; }")
    worker = int(subprocess.getoutput("pgrep -f 'nginx: worker'").split()[0])
    run("prlimit", f"--pid={worker}", "--nofile=256:256")
    kept = [dial(8080) for _ in range(228)]
    time.sleep(2)
    told(f"{len(os.listdir(f'/proc/{worker}/fd'))} of 256, {len(kept)} clients")


def redis_benchmark_without_keep_alive():
    """redis-benchmark -k 0 uses up the 1,000 ports there are to 127.0.0.1:6379; it closes first, TIME_WAIT is its own."""
    tuned("ipv4/ip_local_port_range", "40000 40999")
    tuned("ipv4/tcp_tw_reuse", 0)
    redis(6379)
    sh("redis-benchmark", "-q", "-k", "0", "-c", "5", "-n", "850", "-t", "ping_mbulk")
    time.sleep(5)
    told(f"{ss('state', 'time-wait')} in TIME_WAIT")


def flood(rate, seconds):
    """SYNs with made-up senders, put on the wire at the far end of our own link."""
    mac = bytes.fromhex(run("ip", "-br", "link", "show", "void").split()[2].replace(":", ""))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("nobody", 0))

    def checksum(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        total = (total >> 16) + (total & 0xFFFF)
        return ~(total + (total >> 16)) & 0xFFFF

    def syn(number):
        sender, target = bytes([10, 78, number >> 8 & 255, number & 255]), bytes([10, 77, 0, 1])
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, number & 0xFFFF, 0, 64, 6, 0, sender, target)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        tcp = struct.pack("!HHIIBBHHH", 1024 + number % 60000, 80, number, 0, 5 << 4, 2, 65535, 0, 0)
        pseudo = sender + target + struct.pack("!BBH", 0, 6, 20)
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        wire.send(mac + b"\x02\0\0\0\0\x02\x08\0" + head + tcp)

    def work():
        began = time.monotonic()
        for number in range(rate * seconds):
            syn(number)
            time.sleep(max(0.0, began + number / rate - time.monotonic()))

    threading.Thread(target=work, daemon=True).start()
    time.sleep(3)


def syn_flood_with_cookies():
    """500 SYNs a second from made-up senders at nginx :80; its SYN queue is full and the kernel answers with cookies."""
    dead_network()
    nginx(8080, "server { listen 127.0.0.1:8080; listen 10.77.0.1:80 backlog=128; }")
    flood(500, 40)
    told(f"{ss('state', 'syn-recv')} in SYN_RECV; " + subprocess.getoutput("nstat -asz TcpExtSyncookiesSent | tail -n 1"))


def syn_flood_without_cookies():
    """The same with cookies off: the kernel drops SYNs, and users of nginx :80 get no answer."""
    dead_network()
    tuned("ipv4/tcp_syncookies", 0), tuned("ipv4/tcp_max_syn_backlog", 128)
    nginx(8080, "server { listen 127.0.0.1:8080; listen 10.77.0.1:80 backlog=128; }")
    flood(500, 40)
    told(f"{ss('state', 'syn-recv')} in SYN_RECV; " + subprocess.getoutput("nstat -asz TcpExtListenDrops | tail -n 1"))


def nginx_and_slow_downloads():
    """200 of 400 clients of nginx :8080 never read the file that they asked for: nginx is not at fault, `phones` is."""
    nginx(8080, "server { listen 127.0.0.1:8080; }")
    os.truncate(write("large", ""), 50_000_000)
    python("socks = [socket.create_connection(('127.0.0.1', 8080)) for _ in range(200)]\n"
           "for sock in socks: sock.send(b'GET /large HTTP/1.0\\r\\n\\r\\n')\n"
           "idle = [socket.create_connection(('127.0.0.1', 8080)) for _ in range(200)]\nprint('ready', flush=True); time.sleep(999)", name="phones")
    told("200 receive queues full", 20)


INCIDENTS = [php_fpm_queue, pgbouncer_of_a_stopped_postgres, postgres_clients_without_answer, node_leak, java_leak, memcached_client_does_not_read,
             redis_subscriber_reads_slowly, curl_without_dns, curls_to_a_dead_host, nginx_at_its_descriptor_limit,
             redis_benchmark_without_keep_alive, syn_flood_with_cookies, syn_flood_without_cookies, nginx_and_slow_downloads]

if __name__ == "__main__":
    main(__doc__, INCIDENTS)
