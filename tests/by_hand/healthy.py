#!/usr/bin/env python3
"""Real programs that are busy and well, each looked at for a minute: conntop must find nothing.

    tests/by_hand/healthy.py [NAME ...] [--conntop target/release/conntop] [--for 60] [--at-once 2]

Each load runs in network and process namespaces of its own, from configurations in a folder of its own. The load begins,
and a moment later `conntop check --for SECONDS`; one line a load says what conntop said, how many sockets there were at
the end, and for how many connections the kernel had counted SYNs. The exit status is 1 if anything was found. Needs root, Linux, Python 3, iproute2,
util-linux, and of Debian: nginx redis-server haproxy gunicorn uvicorn wrk apache2-utils iperf3 pgbouncer postgresql-15 curl.
"""
import os, signal, subprocess, sys, threading, time
import programs
from programs import (PG, as_user, conntop, dial, haproxy, later, listening, main, nginx, pgbouncer, postgres, python, redis, run,
                      sh, slow, ss, write)


def opened():
    """How many connections were begun and came in, by /proc/net/snmp."""
    names, values = [line.split()[1:] for line in open("/proc/net/snmp") if line.startswith("Tcp:")]
    tcp = dict(zip(names, values))
    return f"{tcp['ActiveOpens']} opened, {tcp['RetransSegs']} segments sent again"


def silent(before=2):
    """Looks for as long as was asked for; prints what was said. Gives 1 if that was anything."""
    time.sleep(before)
    code, lines, errors = conntop("--for", str(programs.OPTIONS.seconds))
    verdict = "silent" if code == 0 else f"FOUND (exit {code})"
    said = lines[0].split(" | ")[0] if lines else errors.strip()
    print(f"{verdict}: {said} | {ss()} sockets, {ss('state', 'time-wait')} in TIME_WAIT, {opened()}")
    for line in lines[1:4] if code else []:
        print("    ", line)
    return int(code != 0)


def wrk_keep_alive():
    nginx(8080, "keepalive_requests 1000000; server { listen 127.0.0.1:8080; }")
    sh(*slow("wrk", "-t1", "-c64", "-d300s", "http://127.0.0.1:8080/small"))
    return silent()


def redis_benchmark():
    redis(6379)
    sh(*slow("redis-benchmark", "-q", "-l", "-c", "50", "-n", "100000", "-t", "set,get,lpush,lrange_100"))
    return silent()


def pgbouncer_pgbench():
    postgres(5432)
    pgbouncer(6432, 5432, default_pool_size=10)
    sh(*slow(*as_user("postgres", PG + "/pgbench", "-n", "-h", "127.0.0.1", "-p", "6432", "-c", "30", "-j", "1", "-T", "300", "postgres")))
    return silent()


def pgbench_reconnecting():
    postgres(5432)
    sh(*slow(*as_user("postgres", PG + "/pgbench", "-n", "-C", "-h", "127.0.0.1", "-p", "5432", "-c", "8", "-j", "1", "-T", "300", "postgres")))
    return silent()


def ab_5000_time_wait():
    nginx(8080, "server { listen 127.0.0.1:8080; }")
    later(5, lambda: sh(*slow("ab", "-q", "-n", "5500", "-c", "10", "http://127.0.0.1:8080/small")))
    return silent()


def iperf3():
    sh("iperf3", "-s", "-1")
    time.sleep(1)
    sh(*slow("iperf3", "-c", "127.0.0.1", "-P", "4", "-t", "300"))
    return silent()


def nginx_uvicorn_reload():
    write("app.py", "async def app(scope, receive, send):\n"
          "    if scope['type'] == 'http':\n"
          "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
          "        await send({'type': 'http.response.body', 'body': b'ok'})\n")
    sh("uvicorn", "--port", "8001", "--log-level", "warning", "app:app")
    listening(8001)
    proxy = nginx(8080, "upstream app { server 127.0.0.1:8001; keepalive 64; } server { listen 127.0.0.1:8080; location / {"
                  " proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; } }")
    idle = [dial(8080) for _ in range(200)]
    sh(*slow("wrk", "-t1", "-c16", "-d300s", "http://127.0.0.1:8080/"))
    later(15, lambda: proxy.send_signal(signal.SIGHUP))
    later(35, lambda: proxy.send_signal(signal.SIGHUP))
    return silent() + 0 * len(idle)


def curl_limit_rate():
    nginx(8080, "server { listen 127.0.0.1:8080; }")
    os.truncate(write("large", ""), 1 << 30)
    for rate in "100k", "1M", "8M":
        sh("curl", "-s", "--limit-rate", rate, "-o", "/dev/null", "http://127.0.0.1:8080/large")
    return silent()


def idle_websockets():
    """2,000 clients that do nothing but answer a ping every 10 s; some go and come back."""
    python("""
selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", 8090), backlog=512)
selector.register(listener, selectors.EVENT_READ)
print("ready", flush=True)
clients, due = {}, 0
def has_gone(client):
    try: return not client.recv(100)
    except ConnectionError: return True  # it closed before it had read the last ping
while True:
    for key, _ in selector.select(0.5):
        if key.fileobj is listener:
            client, _ = listener.accept()
            clients[client] = time.monotonic()
            selector.register(client, selectors.EVENT_READ)
        elif has_gone(key.fileobj):
            selector.unregister(key.fileobj), clients.pop(key.fileobj), key.fileobj.close()
    now = time.monotonic()
    if now > due:
        due = now + 1
        for client, last in clients.items():
            if now - last > 10:
                clients[client] = now
                try: client.send(b"ping")
                except ConnectionError: pass  # told by recv()
""", name="websocketd")
    python("""
import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
selector = selectors.DefaultSelector()
def dial():
    sock = socket.create_connection(("127.0.0.1", 8090)); selector.register(sock, selectors.EVENT_READ); return sock
clients = [dial() for _ in range(2000)]
print("ready", flush=True)
due = time.monotonic()
while True:
    for key, _ in selector.select(0.5):
        key.fileobj.recv(100), key.fileobj.send(b"pong")
    if time.monotonic() > due:
        due += 1
        for _ in range(3):
            old = clients.pop(0); selector.unregister(old); old.close(); clients.append(dial())
""", name="browsers")
    return silent()


def scraper():
    """A monitoring system opens 50 connections every 5 s, reads what it is told, and closes."""
    nginx(9100, "server { listen 127.0.0.1:9100; }")
    python("""
print("ready", flush=True)
while True:
    socks = [socket.create_connection(("127.0.0.1", 9100)) for _ in range(50)]
    for sock in socks: sock.sendall(b"GET /small HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    for sock in socks: sock.recv(65536), sock.close()
    time.sleep(5)
""", name="scraper")
    return silent()


def bulk_in_bursts():
    """A copy that sends 20 MB, thinks for some seconds, and goes on, beside a session in which somebody types."""
    python("""
def take(sock):
    while data := sock.recv(1 << 16):
        if len(data) < 100: sock.send(data)
listener = socket.create_server(("127.0.0.1", 8730))
print("ready", flush=True)
while True: threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()
""", name="copyd")
    python("""
copy, session = [socket.create_connection(("127.0.0.1", 8730)) for _ in range(2)]
def type_words():
    while True: session.send(b"k"), session.recv(10), time.sleep(0.2)
threading.Thread(target=type_words, daemon=True).start()
print("ready", flush=True)
for pause in [1, 4, 9, 2, 6] * 20: copy.sendall(b"x" * 20_000_000), time.sleep(pause)
""", name="copy")
    return silent()


def gunicorn_graceful_reload():
    write("app.py", "def app(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n")
    app = sh("gunicorn", "--bind", "127.0.0.1:8001", "--workers", "2", "app:app")
    listening(8001)
    nginx(8080, "server { listen 127.0.0.1:8080; location / { proxy_pass http://127.0.0.1:8001; } }")
    # Some 40 requests a second, each with a connection to gunicorn of its own.
    write("wait.lua", "function delay() return 100 end")
    sh(*slow("wrk", "-t1", "-c4", "-d300s", "-s", "wait.lua", "http://127.0.0.1:8080/"))
    later(12, lambda: app.send_signal(signal.SIGHUP))
    later(32, lambda: app.send_signal(signal.SIGHUP))
    return silent()


def haproxy_health_checks():
    """haproxy asks 10 servers twice a second whether they live; its checks end by a reset, as they are meant to."""
    servers = range(8101, 8111)
    nginx(8101, "".join(f"server {{ listen 127.0.0.1:{port}; }}" for port in servers))
    lines = "\n".join(f" server web{port} 127.0.0.1:{port} check inter 500ms" for port in servers)
    haproxy(8080, " timeout connect 2s", f"frontend shop\n bind 127.0.0.1:8080\n default_backend web\nbackend web\n{lines}")
    sh(*slow("wrk", "-t1", "-c8", "-d300s", "http://127.0.0.1:8080/small"))
    return silent()


def pool_with_reconnects():
    """A pool of 20 connections to redis: each asked every second, and replaced after 10 s, long before redis closes it."""
    redis(6379, "--timeout", "60")
    python("""
def connection():
    while True:
        with socket.create_connection(("127.0.0.1", 6379)) as sock:
            for _ in range(10): sock.send(b"PING\\r\\n"), sock.recv(10), time.sleep(1)
for _ in range(20): threading.Thread(target=connection, daemon=True).start()
print("ready", flush=True)
time.sleep(999)
""", name="pool")
    return silent()


LOADS = [wrk_keep_alive, redis_benchmark, pgbouncer_pgbench, pgbench_reconnecting, ab_5000_time_wait, iperf3, nginx_uvicorn_reload,
         curl_limit_rate, idle_websockets, scraper, bulk_in_bursts, gunicorn_graceful_reload, haproxy_health_checks, pool_with_reconnects]

if __name__ == "__main__":
    main(__doc__, LOADS)
