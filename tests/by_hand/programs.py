"""What healthy.py and incidents.py share: a machine of one's own, real servers in it, and conntop that looks at it.

`main(SCENES)` runs each scene in network and process namespaces of its own, some at a time; a scene is a function without
arguments whose docstring says what is true. When it ends, the kernel ends everything that it started.
"""
import argparse, concurrent.futures, json, os, shutil, socket, subprocess, sys, tempfile, threading, time

PG = "/usr/lib/postgresql/15/bin"
OPTIONS = argparse.Namespace()
DIR = ""  # a folder of this scene, which everybody may use


def sh(*words, quiet=True, **more):
    """Start it in the folder of the scene; what it says goes to a file there."""
    shutil.which(words[0]) or skip("it needs " + words[0])
    out = open(f"{DIR}/{os.path.basename(words[0])}.log", "a") if quiet else None
    return subprocess.Popen(words, cwd=DIR, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)


def run(*words, **more):
    """Run it to its end, which must be a good one."""
    return subprocess.run(words, cwd=DIR, check=True, capture_output=True, text=True, **more).stdout


def skip(why):
    print("SKIPPED:", why)
    os._exit(77)


def slow(*words):
    """The words of a load generator that takes only what the machine has left."""
    return ("nice", "-n", "19", *words)


def as_user(user, *words):
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *words)


def dial(port, host="127.0.0.1", timeout=20):
    return socket.create_connection((host, port), timeout)


def listening(port):
    for _ in range(600):
        try:
            return dial(port).close()
        except OSError:
            time.sleep(0.05)
    log = subprocess.getoutput(f"tail -n 5 {DIR}/*.log")
    sys.exit(f"nobody listens on port {port}: {log}")


def write(name, text):
    with open(f"{DIR}/{name}", "w") as file:
        file.write(text)
    return f"{DIR}/{name}"


def nginx(port, http, name="nginx"):
    temporary = " ".join(f"{kind}_temp_path {DIR}/{name}-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = write(name + ".conf", f"user root; worker_processes 1; pid {DIR}/{name}.pid; error_log stderr error; daemon off;\n"
                 f"events {{ worker_connections 8192; }}\nhttp {{ access_log off; root {DIR}; {temporary}\n{http}\n}}\n")
    write("small", "small\n")
    server = sh("nginx", "-c", conf)
    listening(port)
    return server


def haproxy(port, defaults, sections):
    conf = write("haproxy.cfg", f"global\n maxconn 4000\ndefaults\n mode http\n timeout client 60s\n timeout server 60s\n{defaults}\n{sections}\n")
    server = sh("haproxy", "-db", "-f", conf)
    listening(port)
    return server


def redis(port, *settings):
    server = sh("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *settings)
    listening(port)
    return server


def postgres(port, **settings):
    """A database of its own, with `pgbench -i` done."""
    os.path.exists(PG + "/initdb") or skip("it needs postgresql-15")
    data = DIR + "/data"
    run(*as_user("postgres", PG + "/initdb", "-A", "trust", "-D", data))
    options = [f"--{name}={value}" for name, value in settings.items()]
    server = sh(*as_user("postgres", PG + "/postgres", "-D", data, "-p", str(port), "-k", DIR, "-c", "fsync=off", *options))
    listening(port)
    time.sleep(1)
    run(*as_user("postgres", PG + "/pgbench", "-i", "-q", "-h", "127.0.0.1", "-p", str(port), "postgres"))
    return server


def pgbouncer(port, to, mode="transaction", **settings):
    more = "\n".join(f"{name} = {value}" for name, value in settings.items())
    write("users.txt", '"postgres" ""\n')
    conf = write("pgbouncer.ini", f"[databases]\npostgres = host=127.0.0.1 port={to} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                 f"listen_port = {port}\nauth_type = any\nauth_file = {DIR}/users.txt\npool_mode = {mode}\nmax_client_conn = 500\nunix_socket_dir =\n{more}\n")
    server = sh(*as_user("postgres", "pgbouncer", conf))
    listening(port)
    return server


def python(code, *arguments, name="python"):
    """A Python program of its own name; it says "ready" when it is."""
    path = write(f"{name}-{abs(hash(code)) % 10000}.py", "import sys, os, socket, struct, threading, time, selectors\n"
                 f"open('/proc/self/comm', 'w').write({name!r})\n{code}\n")
    child = subprocess.Popen([sys.executable, path, *map(str, arguments)], cwd=DIR, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if "ready" not in child.stdout.readline():
        sys.exit(f"{name} did not start")
    return child


def pause(seconds):
    time.sleep(seconds)


def later(seconds, act):
    thread = threading.Timer(seconds, act)
    thread.daemon = True
    thread.start()


def conntop(*words):
    """Runs `conntop check` with more words; its exit code and its lines."""
    done = subprocess.run([OPTIONS.conntop, "check", *words], cwd=DIR, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": DIR})
    return done.returncode, done.stdout.splitlines(), done.stderr


def ss(*words):
    """How many sockets ss(8) lists."""
    return len(subprocess.run(["ss", "-Htan", *words], capture_output=True, text=True).stdout.splitlines())


def inside(scene):
    global DIR
    DIR = tempfile.mkdtemp(prefix="conntop-scene.")
    os.chmod(DIR, 0o777)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    try:
        code = scene()
    finally:
        shutil.rmtree(DIR, ignore_errors=True)
    sys.stdout.flush()
    os._exit(code or 0)


def main(doc, scenes):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is named: " + ", ".join(scene.__name__ for scene in scenes))
    parser.add_argument("--conntop", default="target/release/conntop", help="the program (target/release/conntop)")
    parser.add_argument("--for", dest="seconds", type=int, default=60, help="how long each is looked at, in seconds (60)")
    parser.add_argument("--at-once", type=int, default=2, help="so many at a time (2)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.conntop = os.path.abspath(OPTIONS.conntop)
    by_name = {scene.__name__: scene for scene in scenes}
    if OPTIONS.inside:
        inside(by_name[OPTIONS.inside])
    if os.geteuid():
        sys.exit("it makes namespaces: run it as root")
    if not os.access(OPTIONS.conntop, os.X_OK):
        sys.exit(f"no conntop at {OPTIONS.conntop}: build it, or name it with --conntop")
    unknown = set(OPTIONS.names) - set(by_name)
    if unknown:
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    with concurrent.futures.ThreadPoolExecutor(OPTIONS.at_once) as pool:
        codes = list(pool.map(outside, OPTIONS.names or by_name))
    sys.exit(1 if any(code not in (0, 77) for code in codes) else 0)


def outside(name):
    words = ["unshare", "-npf", "--mount-proc", "--kill-child", sys.executable, "-u", sys.argv[0], "--inside", name,
             "--conntop", OPTIONS.conntop, "--for", str(OPTIONS.seconds)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"{name}: {done.stdout.strip()}" + ("" if done.returncode in (0, 1, 77) else f" [exit {done.returncode}]"), flush=True)
    return done.returncode
