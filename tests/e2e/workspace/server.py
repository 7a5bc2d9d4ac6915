"""Starts and ends a nuvyn-workspace for tests; knows it by its process id only."""

import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.request

BINARY = os.environ["WORKSPACE_BINARY"]


def make_certificate(folder):
    """A certificate for 127.0.0.1, as (certificate, key)."""
    cert, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    return cert, key


class Server:
    def __init__(self, *options, tls=False, state=None, env=None):
        self.own_state = state is None
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="nuvyn-workspace-"))
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.options = list(options)
        self.env = {**os.environ, **(env or {})}
        self.cert = None
        if tls:
            self.cert, key = make_certificate(self.state)
            self.options += ["--tls-cert", str(self.cert), "--tls-key", str(key)]
        self.process = None

    def start(self, port=0):
        (self.state / "address").unlink(missing_ok=True)
        command = [BINARY, "--state-dir", str(self.state), "--listen", f"127.0.0.1:{port}", "--test-faults", "--request-log",
                   str(self.state / "requests.jsonl"), *self.options]
        self.log = open(self.state / "server.log", "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.env)
        end = time.monotonic() + 20
        while not (self.state / "address").exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the workspace did not start: " + (self.state / "server.log").read_text())
            time.sleep(0.02)
        self.url = (self.state / "address").read_text().strip()
        self.secret = (self.state / "client-secret").read_text().strip()
        return self

    def health(self):
        context = ssl.create_default_context(cafile=self.cert) if self.cert else None
        with urllib.request.urlopen(self.url + "/health", context=context, timeout=10) as reply:
            return json.load(reply)

    def wait_for_spark(self, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            health = self.health()
            if health["spark"] == "ready":
                return self
            if health["spark"] == "broken":
                break
            time.sleep(0.1)
        raise RuntimeError(f"Spark did not start: {self.health()} {(self.state / 'kernel.log').read_text()}")

    def requests(self):
        return [json.loads(line) for line in (self.state / "requests.jsonl").read_text().splitlines()]

    def descendants(self):
        """Process ids below the server: the kernel's Python and its JVM."""
        found, todo = [], [self.process.pid]
        while todo:
            parent = todo.pop()
            for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
                children = [int(pid) for pid in task.read_text().split()]
                found += children
                todo += children
        return found

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it with SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else None

    def close(self):
        self.stop()
        if self.own_state:
            shutil.rmtree(self.state, ignore_errors=True)
