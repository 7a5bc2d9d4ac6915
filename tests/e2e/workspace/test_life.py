"""Starts, ends and accidents: restarts, kill -9, a dying JVM, a busy port, missing Spark, a full disk, hostile requests."""

import base64
import io
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import uuid

import requests
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import catalog, jobs
from databricks.sdk.service.workspace import ImportFormat

from server import BINARY, Server, make_certificate


def gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists() or "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2]


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


class Life(unittest.TestCase):
    def server(self, *options, **more):
        server = Server(*options, **more)
        self.addCleanup(server.close)
        return server

    def client(self, server):
        return WorkspaceClient(host=server.url, client_id="nuvyn", client_secret=server.secret, auth_type="oauth-m2m")

    def sql(self, w, text):
        reply = w.statement_execution.execute_statement(text, next(iter(w.warehouses.list())).id, wait_timeout="50s")
        end = time.monotonic() + 300
        while reply.status.state.value in ("PENDING", "RUNNING") and time.monotonic() < end:
            time.sleep(0.5)
            reply = w.statement_execution.get_statement(reply.statement_id)
        return reply

    def slow_run(self, w):
        w.workspace.upload("/slow.py", io.BytesIO(b"# Databricks notebook source\nimport time\ntime.sleep(600)\n"),
                           format=ImportFormat.AUTO, overwrite=True)
        run = w.jobs.submit(run_name="slow", tasks=[
            jobs.SubmitTask(task_key="t", notebook_task=jobs.NotebookTask(notebook_path="/slow"))])
        self.assertTrue(wait_for(lambda: w.jobs.get_run(run.run_id).tasks[0].state.life_cycle_state.value == "RUNNING"))
        time.sleep(1)  # until the kernel has it
        return run.run_id

    def test_state_survives_kill_9_and_restart(self):
        server = self.server(tls=False).start().wait_for_spark()
        w = self.client(server)
        w.workspace.mkdirs("/kept")
        w.volumes.create("main", "default", "kept", catalog.VolumeType.MANAGED)
        w.files.upload("/Volumes/main/default/kept/f", io.BytesIO(b"data"))
        self.assertEqual(self.sql(w, "CREATE TABLE main.default.kept AS SELECT 42 AS x").status.state.value, "SUCCEEDED")
        token = w.config.authenticate()["Authorization"]
        run_id = self.slow_run(w)
        below = server.descendants()
        self.assertGreaterEqual(len(below), 2)
        server.kill()
        self.assertTrue(wait_for(lambda: all(gone(pid) for pid in below), 20), "Spark outlived its server")

        server.start()
        w = self.client(server)
        run = w.jobs.get_run(run_id)
        wait_for(lambda: w.jobs.get_run(run_id).state.life_cycle_state.value == "INTERNAL_ERROR")
        run = w.jobs.get_run(run_id)
        self.assertEqual((run.state.life_cycle_state.value, run.state.result_state.value), ("INTERNAL_ERROR", "FAILED"))
        self.assertIn("restarted", run.tasks[0].state.state_message)
        self.assertEqual(w.workspace.get_status("/kept").path, "/kept")
        self.assertEqual(w.files.download("/Volumes/main/default/kept/f").contents.read(), b"data")
        self.assertEqual(requests.get(server.url + "/api/2.0/preview/scim/v2/Me", headers={"Authorization": token}).status_code,
                         200, "a token outlives a restart")
        self.assertEqual(self.sql(w, "SELECT x FROM main.default.kept").result.data_array, [["42"]])
        self.assertEqual(server.stop(), 0)

    def test_a_task_with_retries_outlives_kill_9(self):
        server = self.server().start().wait_for_spark()
        w = self.client(server)
        w.volumes.create("main", "default", "flag", catalog.VolumeType.MANAGED)
        text = ("# Databricks notebook source\nimport os, time\nif not os.path.exists('/Volumes/main/default/flag/f'):\n"
                "    open('/Volumes/main/default/flag/f', 'w').close()\n    time.sleep(600)\ndbutils.notebook.exit('second')\n")
        w.workspace.upload("/again.py", io.BytesIO(text.encode()), format=ImportFormat.AUTO)
        run = w.jobs.submit(run_name="again", tasks=[jobs.SubmitTask(
            task_key="t", notebook_task=jobs.NotebookTask(notebook_path="/again"), max_retries=1)])
        self.assertTrue(wait_for((server.state / "unity/main/default/volumes/flag/f").exists))
        server.kill()
        server.start()
        w = self.client(server)
        self.assertTrue(wait_for(lambda: w.jobs.get_run(run.run_id).state.result_state, 180))
        done = w.jobs.get_run(run.run_id)
        self.assertEqual(done.state.result_state.value, "SUCCESS")
        self.assertEqual([t.state.life_cycle_state.value for t in done.tasks], ["INTERNAL_ERROR", "TERMINATED"])

    def test_a_dying_driver_fails_what_ran_and_comes_back(self):
        server = self.server().start().wait_for_spark()
        w = self.client(server)
        run_id = self.slow_run(w)
        java = next(pid for pid in server.descendants() if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "java")
        os.kill(java, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: w.jobs.get_run(run_id).state.life_cycle_state.value == "INTERNAL_ERROR"))
        run = w.jobs.get_run(run_id)
        self.assertIn("driver died", run.tasks[0].state.state_message)
        self.assertIn("driver died", w.jobs.get_run_output(run.tasks[0].run_id).error)
        server.wait_for_spark()
        self.assertEqual(self.sql(w, "SELECT 1").result.data_array, [["1"]])

    def test_https(self):
        server = self.server(tls=True).start()
        self.assertTrue(server.url.startswith("https://"))
        self.assertEqual(server.health()["status"], "ok")
        with self.assertRaises(requests.exceptions.SSLError):
            requests.get(server.url + "/health")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(server.cert)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        host, port = server.url.removeprefix("https://").split(":")
        with self.assertRaises((ssl.SSLError, ConnectionError)), socket.create_connection((host, int(port))) as raw:
            context.wrap_socket(raw, server_hostname=host)

    def served(self, server):
        """The certificate of a new connection."""
        host, port = server.url.removeprefix("https://").split(":")
        return ssl.get_server_certificate((host, int(port)))

    def test_certificates_reload(self):
        server = self.server(tls=True).start()
        first = self.served(server)
        key = server.state / "tls.key"
        whole = key.read_bytes()
        key.write_text("no key")
        time.sleep(1.1)
        self.assertEqual(self.served(server), first)  # what cannot be used changes nothing
        key.write_bytes(whole)
        make_certificate(server.state)
        self.assertTrue(wait_for(lambda: self.served(server) != first, 10))
        self.assertEqual(self.served(server).split(), server.cert.read_text().split())
        self.assertEqual(server.health()["status"], "ok")
        self.assertIn("the one before stays", (server.state / "server.log").read_text())

    def run_binary(self, *options, state=None):
        folder = state or self.server().state
        return subprocess.run([BINARY, "--state-dir", str(folder), *options], capture_output=True, text=True, timeout=30)

    def test_bad_starts_say_what_is_wrong(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.run_binary("--listen", f"127.0.0.1:{port}")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"127.0.0.1:{port}: Address already in use", done.stderr)
        for options, words in ((["--listen", "nonsense"], "HOST:PORT"), (["--tls-cert", "x"], "go together"),
                               (["--frobnicate"], "--frobnicate"), (["--log-format", "xml"], "json or text"),
                               (["--client-secret-file", "/no/such/file"], "/no/such/file"),
                               (["--listen", "127.0.0.1:0", "--tls-cert", "/no/c.pem", "--tls-key", "/no/k.pem"], "/no/c.pem")):
            done = self.run_binary(*options)
            self.assertNotEqual(done.returncode, 0, options)
            self.assertIn(words, done.stderr, options)

    def test_one_server_per_state(self):
        server = self.server().start()
        done = self.run_binary("--listen", "127.0.0.1:0", state=server.state)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("in use by another", done.stderr)

    def test_missing_spark_is_said(self):
        server = self.server("--kernel-python", "/no/such/python").start()
        w = self.client(server)
        self.assertTrue(wait_for(lambda: server.health()["spark"] == "broken", 10))
        self.assertIn("/no/such/python", server.health()["spark_message"])
        reply = self.sql(w, "SELECT 1")
        self.assertEqual(reply.status.state.value, "FAILED")
        self.assertIn("/no/such/python", reply.status.error.message)

    def test_missing_java_is_said(self):
        bare = {"PATH": "/nonexistent", "JAVA_HOME": ""}
        server = self.server(env=bare).start()
        self.assertTrue(wait_for(lambda: server.health()["spark"] == "broken", 30))
        message = server.health()["spark_message"]
        self.assertIn("Spark did not start", message)
        self.assertIn("no Java", message)
        self.assertIn("JAVA_HOME", message)

    def raw(self, server, data):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            reply = b""
            while part := raw.recv(65536):
                reply += part
            return reply

    def test_hostile_requests(self):
        server = self.server("--kernel-python", "/no/such/python").start()
        w = self.client(server)
        auth = {"Authorization": w.config.authenticate()["Authorization"]}
        url = server.url + "/api/2.0/workspace/mkdirs"
        for body, status in ((b"{", 400), (b"[" * 100000, 400), (b'{"path": 1}', 400), (b'{"path": "/a\\u0000b"}', 400),
                             (b'{"path": "' + b"/x" * 2000 + b'"}', 400), (b"\xff\xfe", 400), (b"", 400)):
            reply = requests.post(url, data=body, headers=auth)
            self.assertEqual(reply.status_code, status, body[:40])
            self.assertIn("error_code", reply.json())
        big = requests.post(url, data=b" " * (33 * 1024 * 1024), headers=auth)
        self.assertEqual(big.status_code, 413)
        self.raw(server, b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n")
        self.raw(server, b"\x00\x01\x02 garbage\r\n\r\n")
        self.raw(server, b"POST /api/2.0/workspace/mkdirs HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")
        header = f"Authorization: {auth['Authorization']}\r\nHost: x\r\n".encode()
        cut = self.raw(server, b"PUT /api/2.0/fs/files/Volumes/main/default/v/x HTTP/1.1\r\nContent-Length: 100\r\n" + header +
                       b"\r\nonly this")
        self.assertIn(b"404", cut.split(b"\r\n")[0])
        w.volumes.create("main", "default", "v", catalog.VolumeType.MANAGED)
        cut = self.raw(server, b"PUT /api/2.0/fs/files/Volumes/main/default/v/x HTTP/1.1\r\nContent-Length: 100\r\n" + header +
                       b"\r\nonly this")
        with self.assertRaises(errors.NotFound):
            w.files.download("/Volumes/main/default/v/x")
        self.assertEqual(list((server.state / "unity" / ".uploads").iterdir()), [])
        self.assertEqual(server.health()["status"], "ok")
        self.assertEqual(server.stop(), 0)

    def test_full_disk(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nuvyn-full-"))
        self.addCleanup(folder.rmdir)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", folder], capture_output=True).returncode != 0:
            self.skipTest("a small disk can only be mounted by root")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        server = self.server("--kernel-python", "/no/such/python", state=folder / "state").start()
        w = self.client(server)
        w.volumes.create("main", "default", "v", catalog.VolumeType.MANAGED)
        w.files.upload("/Volumes/main/default/v/fits", io.BytesIO(bytes(8_000_000)))
        with self.assertRaisesRegex(errors.InternalError, "No space left on device"):
            w.files.upload("/Volumes/main/default/v/too-big", io.BytesIO(bytes(8_000_000)))
        self.assertEqual([f.name for f in w.files.list_directory_contents("/Volumes/main/default/v")], ["fits"])
        auth = {"Authorization": w.config.authenticate()["Authorization"]}
        replies = [requests.post(f"{server.url}/api/2.0/workspace/import", headers=auth, json={
            "path": f"/n{i}", "format": "RAW", "content": base64.b64encode(os.urandom(900_000)).decode()}) for i in range(6)]
        refused = [r for r in replies if r.status_code != 200]
        self.assertTrue(refused)
        self.assertTrue(all("full" in r.json()["message"] for r in refused), [r.text for r in refused])
        w.files.delete("/Volumes/main/default/v/fits")
        again = requests.post(f"{server.url}/api/2.0/workspace/mkdirs", headers=auth, json={"path": "/after"})
        self.assertEqual(again.status_code, 200, again.text)

    def test_request_log(self):
        server = self.server("--kernel-python", "/no/such/python").start()
        self.client(server).current_user.me()
        seen = [(r["method"], r["path"], r["status"]) for r in server.requests()]
        self.assertIn(("GET", "/api/2.0/preview/scim/v2/Me", 200), seen)
        self.assertIn(("POST", "/oidc/v1/token", 200), seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
