"""Bad input and broken surroundings: each case ends in a message that names the thing, a status that says failure, and nothing half
written; or, where the data can still be used, in findings that say what is wrong with it."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BIN = os.path.join(os.environ["NUVYN_BUILD"], "bin")
SLOW = bool(os.environ.get("NUVYN_SLOW"))
ROOT = os.geteuid() == 0
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
GOOD = "id,name\n" + "".join(f"{i},name {i}\n" for i in range(1, 60))


def program(name):
    return os.path.join(BIN, name)


def run(*command, timeout=120, address_space=0, env=None):
    def limit():
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    return subprocess.run(command, env=env or ENVIRONMENT, capture_output=True, text=True, errors="replace", timeout=timeout,
                          preexec_fn=limit, stdin=subprocess.DEVNULL)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nuvyn-bad.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return self.path(name)

    def analyze(self, folder="raw", *options, **limits):
        return run(program("nuvyn-worker"), "analyze", "--source-dir", self.path(folder), *options, **limits)

    def refused(self, done, *words, status=None):
        """Failed, by itself, saying each of the words in few lines."""
        self.assertGreater(done.returncode, 0, done)  # negative: killed by a signal
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertLess(len(done.stderr), 4000)

    def found(self, done, *words):
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in words:
            self.assertIn(word, done.stdout)


class Folders(Case):
    def test_missing(self):
        self.refused(self.analyze("nowhere"), self.path("nowhere"), "No such file", status=66)

    def test_a_file_in_its_place(self):
        self.write("raw", GOOD)
        self.refused(self.analyze(), self.path("raw"))

    def test_empty(self):
        os.mkdir(self.path("raw"))
        self.refused(self.analyze(), self.path("raw"), "holds no CSV file", status=66)

    def test_unreadable_file(self):
        os.chmod(self.write("raw/secret.csv", GOOD), 0)
        command = [program("nuvyn-worker"), "analyze", "--source-dir", self.path("raw")]
        if ROOT:
            if not shutil.which("setpriv") or run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("nuvyn-worker"), "--help").returncode:
                self.skipTest("no setpriv, or others cannot run this build")
            os.chmod(self.folder, 0o755)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + command
        self.refused(run(*command), "secret.csv", "Permission denied")

    def test_links_out_of_the_folder_are_not_followed(self):
        self.write("raw/good.csv", GOOD)
        self.write("outside/private.csv", "card,holder\n4711,somebody\n")
        os.symlink(self.path("outside/private.csv"), self.path("raw/private.csv"))
        os.symlink(self.path("outside"), self.path("raw/more"))
        done = self.analyze("raw", "--output-dir", self.path("out"))
        self.found(done)
        for name in os.listdir(self.path("out")):
            with open(self.path("out", name), "rb") as file:
                self.assertNotIn(b"holder", file.read(), name)

    def test_full_disk(self):
        self.write("raw/good.csv", GOOD)
        os.mkdir(self.path("small"))
        if not ROOT or run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", self.path("small")).returncode:
            self.skipTest("a small file system cannot be mounted here")
        try:
            self.refused(self.analyze("raw", "--output-dir", self.path("small")), self.path("small"), "No space left")
            for name in os.listdir(self.path("small")):  # whole, or not there
                self.assertNotIn("tmp", name)
                self.assertGreater(os.path.getsize(self.path("small", name)), 0, name)
        finally:
            subprocess.run(["umount", self.path("small")], check=True)


class Files(Case):
    def test_not_text(self):
        self.write("raw/a.csv", bytes((i * i * 31 + i * 7 + (i >> 7)) & 0xFF for i in range(100000)))
        self.refused(self.analyze(), "a.csv", "not text")
        self.write("raw/a.csv", b"PK\x03\x04" + os.urandom(1000))
        self.refused(self.analyze(), "a.csv", "not text but a ZIP")

    def test_random_bytes(self):
        self.write("raw/a.csv", os.urandom(200000))
        self.refused(self.analyze())

    def test_empty(self):
        self.write("raw/a.csv", "")
        self.refused(self.analyze(), "a.csv: the file is empty", status=66)

    def test_ragged_rows(self):
        self.write("raw/r.csv", "a,b,c\n" + "".join(f"{i},{i * 2},x{i}\n" for i in range(50)) + "77,5\n88,1,2,3\n")
        self.found(self.analyze(), "r: 2 lines could not be read", "line 52, 2 fields where 3 were expected")

    def test_repeated_and_empty_headers(self):
        self.write("raw/d.csv", "id,id,,x\n" + "".join(f"{i},{i % 3},{i % 5},{i % 7}\n" for i in range(50)))
        done = self.analyze("raw", "--format", "json")
        self.found(done)
        names = re.findall(r'"silver_name": "([^"]*)"', done.stdout)
        self.assertEqual(len(names), len(set(names)), names)

    def test_not_utf8(self):
        self.write("raw/u.csv", b"id,name\n" + b"".join(b"%d,caf\xe9 %d\n" % (i, i) for i in range(50)))
        self.found(self.analyze(), "not valid UTF-8")

    def test_names_cannot_command_the_terminal(self):
        self.write("raw/n.csv", "id,\x1b[2Jname\n" + "".join(f"{i},x{i % 4}\n" for i in range(50)))
        done = self.analyze()
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def long_line(self, mebibytes):
        os.mkdir(self.path("raw"))
        with open(self.path("raw", "l.csv"), "w") as file:
            file.write("id,text\n" + "".join(f"{i},short\n" for i in range(40)) + "41,")
            for _ in range(mebibytes):
                file.write("x" * (1 << 20))
            file.write("\n42,short\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.found(self.analyze(timeout=600), "the line is longer than allowed")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB, of the largest child so far
        self.assertLess(peak, max(before, 512 * 1024))

    def test_long_line(self):
        self.long_line(64)

    @unittest.skipUnless(SLOW, "NUVYN_SLOW=1 writes a line of 1 GiB")
    def test_line_of_a_gigabyte(self):
        self.long_line(1024)

    def wide(self, columns):
        rows = "".join(",".join(str(r * c) for c in range(columns)) + "\n" for r in range(3))
        self.write("raw/w.csv", ",".join(f"c{i}" for i in range(columns)) + "\n" + rows)
        done = self.analyze(timeout=800)
        self.assertGreaterEqual(done.returncode, 0, done)
        self.assertTrue(done.returncode == 0 or "nuvyn-worker analyze:" in done.stderr)

    def test_many_columns(self):
        self.wide(500)

    @unittest.skipUnless(SLOW, "NUVYN_SLOW=1 analyzes 10,000 columns")
    def test_ten_thousand_columns(self):
        self.wide(10000)


class Certificates(Case):
    def certs(self, *arguments, folder="ca"):
        done = run(program("nuvynctl"), "certs", *arguments, "--dir", self.path(folder))
        self.assertEqual(done.returncode, 0, done.stderr)

    def setUp(self):
        super().setUp()
        for folder in ("ca", "other"):
            self.certs("init", folder=folder)
        self.certs("issue", "controlplane", "--file", "server", "--dns", "localhost", "--ip", "127.0.0.1")

    def serve(self, listen="127.0.0.1:0", cert="server", key="server", ca="ca.crt"):
        return [program("nuvyn-controlplane"), "--state-dir", self.path("state"), "--listen", listen, "--ca", self.path("ca", ca),
                "--cert", self.path("ca", cert + ".crt"), "--key", self.path("ca", key + ".key")]

    def start(self):
        process = subprocess.Popen(self.serve(), env=ENVIRONMENT, stderr=subprocess.DEVNULL)

        def stop():
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        self.addCleanup(stop)
        for _ in range(200):
            if os.path.exists(self.path("state", "address")):
                with open(self.path("state", "address")) as file:
                    return file.read().strip()
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        self.fail("the control plane does not start")

    def health(self, address, folder, name):
        return run(program("nuvynctl"), "health", "--address", address, "--ca", self.path("ca/ca.crt"), "--cert",
                   self.path(folder, name + ".crt"), "--key", self.path(folder, name + ".key"), "--timeout", "5s")

    def test_missing_and_wrong_files(self):
        self.refused(run(*self.serve(cert="nobody")), "nobody.crt")
        self.write("ca/text.crt", "this is no certificate\n")
        self.refused(run(*self.serve(cert="text")), "text.crt")
        self.certs("issue", "operator/anna", "--file", "anna")
        self.refused(run(*self.serve(key="anna")), "key")
        self.assertFalse(os.path.exists(self.path("state", "address")))

    def test_foreign_authority(self):
        address = self.start()
        self.certs("issue", "operator/anna", "--file", "anna")
        self.assertEqual(self.health(address, "ca", "anna").returncode, 0)
        self.certs("issue", "operator/eve", "--file", "eve", folder="other")
        self.refused(self.health(address, "other", "eve"))
        self.assertEqual(self.health(address, "ca", "anna").returncode, 0)  # still serves

    def test_busy_port(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            listen = "127.0.0.1:%d" % busy.getsockname()[1]
            self.refused(run(*self.serve(listen=listen)), listen)
            self.assertFalse(os.path.exists(self.path("state", "address")))
            self.refused(run(program("nuvyn-workspace"), "--state-dir", self.path("workspace"), "--listen", listen), listen)


class Surroundings(Case):
    def logged(self, expected, *options, path=ENVIRONMENT["PATH"]):
        """It serves its files without Spark, and its log says why there is none."""
        with open(self.path("log"), "w+") as log:
            process = subprocess.Popen([program("nuvyn-workspace"), "--state-dir", self.path("state"), "--listen", "127.0.0.1:0",
                                        *options], env={**ENVIRONMENT, "PATH": path}, stderr=log, stdout=log)
            try:
                for _ in range(300):
                    with open(self.path("log")) as file:
                        text = file.read()
                    if all(word in text for word in expected):
                        break
                    time.sleep(0.1)
                for word in expected:
                    self.assertIn(word, text)
            finally:
                process.terminate()
                process.wait(30)

    def test_no_python_for_the_workspace(self):
        self.logged(["Spark cannot start", self.path("no-python"), "No such file"], "--kernel-python", self.path("no-python"))

    def test_no_java_for_the_workspace(self):
        os.mkdir(self.path("bin"))
        self.logged(["Spark did not start", "Java"], path=self.path("bin"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
