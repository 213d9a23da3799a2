"""The WSGI application of the gunicorns of tests/scenarios/real_programs.rs. What it does is in the path of the request.

    /                     answers at once
    /sleep/SECONDS        answers late
    /leak/PORT            asks the HTTP server on PORT with keep-alive, reads the answer, and keeps the connection for ever
    /leak-redis/PORT      the same with PING of a redis; keep-alive probes are on, 18 s after the last answer
    /hold/PORT            sends half a request to the HTTP server on PORT, and keeps the connection for ever
"""

import socket
import time

KEPT = []


def dial(port):
    sock = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
    KEPT.append(sock)
    return sock


def leak(port):
    sock = dial(port)
    sock.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
    while b"small\n" not in sock.recv(65536):
        pass


def leak_redis(port):
    sock = dial(port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 18)
    sock.sendall(b"PING\r\n")
    sock.recv(100)


def hold(port):
    dial(port).sendall(b"GET / HTTP/1.1\r\nHost:")


WAYS = {"sleep": lambda seconds: time.sleep(float(seconds)), "leak": leak, "leak-redis": leak_redis, "hold": hold}


def app(environ, start_response):
    _, way, *args = environ["PATH_INFO"].split("/")
    if way:
        WAYS[way](*args)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
