"""Bad input and broken surroundings: each case ends in a message that names the thing, a status that says failure, and nothing half
written; or, where the data can still be used, in findings that say what is wrong with it."""

import gzip
import json
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


def run(*command, timeout=120, address_space=0, env=None, cwd=None):
    def limit():
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    return subprocess.run(command, env=env or ENVIRONMENT, capture_output=True, text=True, errors="replace", timeout=timeout, cwd=cwd,
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
        worker, environment = program("nuvyn-worker"), ENVIRONMENT
        command = [worker, "analyze", "--source-dir", self.path("raw")]
        if ROOT:  # who may read everything: somebody else runs a copy that others can reach
            os.mkdir(self.path("bin"))
            shutil.copy(worker, self.path("bin"))
            for line in run("ldd", worker).stdout.splitlines():
                if "libduckdb" in line:
                    shutil.copy(line.split()[2], self.path("bin", "libduckdb.so"))
            for folder, _, _ in os.walk(self.folder):
                os.chmod(folder, 0o755)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", self.path("bin", "nuvyn-worker")] + command[1:]
            environment = {**ENVIRONMENT, "LD_LIBRARY_PATH": self.path("bin"), "HOME": "/nonexistent"}
        self.refused(run(*command, env=environment), "secret.csv", "Permission denied")

    def test_a_model_that_is_not_there_is_told(self):
        self.write("raw/good.csv", GOOD)
        done = self.analyze("raw", env={**ENVIRONMENT, "NUVYN_LLM_BASE_URL": "http://127.0.0.1:9/v1", "NUVYN_LLM_MODEL": "m", "NUVYN_LLM_API_KEY": "k"})
        self.found(done, "no language model took part")
        self.assertIn("evidence alone", done.stderr)
        self.assertIn("127.0.0.1", done.stderr)
        self.assertEqual(self.analyze("raw").stderr, "")

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

    def test_only_a_header(self):
        self.write("raw/h.csv", "id,name\n")
        self.found(self.analyze(), "h: no rows, only column names")

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

    def test_code_pages_do_not_stop_the_rest(self):
        self.write("raw/good.csv", GOOD)
        self.write("raw/w.csv", b"id,name\n" + b"".join(b"%d,\x93quoted\x94 %d \x80\n" % (i, i) for i in range(50)))
        self.write("raw/u.csv", GOOD.encode("utf-32"))
        self.found(self.analyze(), "w.csv was left out: text in Windows-1252", "u.csv was left out: UTF-32", "good")

    def test_a_minus_behind_the_number(self):
        self.write("raw/t.csv", "id;amount\n" + "".join(f"{i};{i}.{i + 100},50{'-' if i % 3 == 0 else ''}\n" for i in range(1, 60)))
        column = self.profile()["amount"]
        self.assertEqual((column["type"], column["min"]), ("VALUE_TYPE_DECIMAL", "-57157.5"))

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

    def wide(self, columns, rows):
        """Rows of small numbers and texts, one of them twice; returns the processor seconds of the analysis."""
        lines = [",".join(str((r + c) % 10) if c % 3 else f"x{(r * c) % 50}" for c in range(1, columns)) for r in range(rows)]
        lines = [f"{r},{line}" for r, line in enumerate(lines)] + ["0," + lines[0]]
        self.write("raw/w.csv", ",".join(f"c{i}" for i in range(columns)) + "\n" + "\n".join(lines) + "\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = self.analyze(timeout=800)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.found(done, "w: 1 row repeats an earlier row exactly")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_many_columns(self):
        self.assertLess(self.wide(500, 200), 10)

    def test_ten_thousand_columns(self):
        self.assertLess(self.wide(10000, 100), 30)  # by processor time: others may share the machine

    def test_contradictory_keys(self):
        self.write("raw/customers_1.csv", "id,name\n" + "".join(f"{i},first {i}\n" for i in range(1, 200)))
        self.write("raw/customers_2.csv", "id,name\n" + "".join(f"{i},second {i}\n" for i in range(100, 300)))
        self.write("raw/orders.csv", "order_id,customer_id\n" + "".join(f"{i},{1 + i % 290}\n" for i in range(1, 500)))
        done = self.analyze("raw", "--format", "keys")
        self.found(done)
        keys = json.loads(done.stdout)["primary_keys"]
        self.assertNotEqual(keys.get("customers"), ["id"])  # two rows for each of a hundred ids are no key
        self.assertEqual(keys["orders"], ["order_id"])

    def profile(self, table="t"):
        done = self.analyze("raw", "--output-dir", self.path("out"))
        self.found(done)
        with open(self.path("out", "profile.json"), encoding="utf-8") as file:
            profile = json.load(file)
        found = [t for t in profile["tables"] if t["name"] == table]
        self.assertEqual(len(found), 1)
        return {column["name"]: column for column in found[0]["columns"]}

    def test_numbers_beyond_all_types(self):
        rows = "".join(f"{i},{9223372036854775807 - i},{92233720368547758070 + i},{i}.{'1' * 30},{'9' * 45}{i},{i}e{300 + i}\n"
                       for i in range(60))
        self.write("raw/t.csv", "id,largest,larger,fine,endless,float\n" + rows)
        columns = self.profile()
        self.assertEqual(columns["largest"]["type"], "VALUE_TYPE_INT64")
        self.assertEqual(columns["largest"]["max"], "9223372036854775807")
        self.assertEqual(columns["larger"]["type"], "VALUE_TYPE_DECIMAL")
        self.assertEqual(columns["larger"]["max"], "92233720368547758129")
        self.assertEqual(columns["fine"]["type"], "VALUE_TYPE_DECIMAL")
        self.assertEqual(columns["fine"]["min"], "0." + "1" * 30)
        self.assertEqual(columns["endless"]["type"], "VALUE_TYPE_STRING")
        self.assertEqual(columns["endless"]["max"], "9" * 46)

    def test_time_zones(self):
        rows = "".join(f"{i},2024-03-{1 + i % 28:02d}T10:00:00{zone}\n" for i in range(60) for zone in ("+02:00", "-0500", "Z"))
        self.write("raw/t.csv", "id,at\n" + rows)
        column = self.profile()["at"]
        self.assertEqual(column["type"], "VALUE_TYPE_TIMESTAMP")
        self.assertEqual(column["min"], "2024-03-01T08:00:00")  # in UTC
        self.assertEqual(column["max"], "2024-03-28T15:00:00")
        self.assertEqual(int(column.get("invalid_count", 0)), 0)

    def test_names_of_all_kinds(self):
        names = ["select", "order by", "it's", 'say "hi"', "`tick`", "a,b", "😀", "n" * 300, "", "ORDER BY", "a\tb", "$(rm)", "; DROP"]
        header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
        self.write("raw/t.csv", header + "\n" + "".join(",".join(str(i * 13 + k) for k in range(len(names))) + "\n" for i in range(80)))
        done = self.analyze("raw", "--format", "json")
        self.found(done)
        silver = re.findall(r'"silver_name": "([^"]*)"', done.stdout)
        self.assertGreaterEqual(len(silver), len(names))
        for name in silver:
            self.assertRegex(name, r"^[a-z_][a-z0-9_]*$")
        columns = self.profile()
        self.assertEqual(len(columns), len(names))
        for name in names[:8]:
            self.assertIn(name, columns)

    def test_packed_files(self):
        os.mkdir(self.path("raw"))
        with gzip.open(self.path("raw", "t.csv.gz"), "wt") as file:
            file.write(GOOD)
        whole = self.profile()
        self.assertEqual(int(whole["id"]["distinct_count"]), 59)
        with open(self.path("raw", "t.csv.gz"), "rb") as file:
            data = file.read()
        self.write("raw/t.csv.gz", data[:len(data) // 2])
        self.refused(self.analyze(), "t.csv.gz", "not whole gzip data")
        self.write("raw/t.csv.gz", GOOD)
        self.refused(self.analyze(), "t.csv.gz", "not whole gzip data")


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


class Bldr(Case):
    """What ./bldr says before anything is built or started, and how it installs."""
    CHECKOUT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))

    def bldr(self, *words):
        return run(os.path.join(self.CHECKOUT, "bldr"), *words, env={**ENVIRONMENT, "NUVYN_HOME": self.path("home")})

    def script(self, text, *path, more="deps", state="none"):
        """Shell that calls the functions of deploy/local, with programs of this test first in the path."""
        folders = os.pathsep.join([*path, ENVIRONMENT["PATH"]])
        return run("bash", "-euo", "pipefail", "-c", f". deploy/local/common.sh; . deploy/local/{more}.sh; {text}",
                   env={**ENVIRONMENT, "ROOT": self.CHECKOUT, "NUVYN_HOME": self.path("home"), "NUVYN_STATE": self.path(state),
                        "PATH": folders}, cwd=self.CHECKOUT)

    def program(self, name, text):
        os.chmod(self.write("bin/" + name, "#!/bin/sh\n" + text), 0o755)

    def test_sources_that_are_none(self):
        self.refused(self.bldr("run"), "--source-dir", "a folder of raw files", status=64)
        self.refused(self.bldr("run", "--source-dir"), "--source-dir", "expected a value", status=64)
        self.refused(self.bldr("run", "--source-dir", self.path("nowhere")), self.path("nowhere"), "no such folder", status=66)
        self.refused(self.bldr("run", "--source-dir", self.write("a.csv", GOOD)), self.path("a.csv"), "expected a folder", status=66)
        self.assertFalse(os.path.exists(self.path("home")))

    def test_words_that_mean_nothing(self):
        folder = "--source-dir=" + self.folder
        for words, said in {("frobnicate",): "unknown command: frobnicate", ("analize",): 'did you mean "analyze"?',
                            ("run", "--sauce-dir", "x"): "unknown option --sauce-dir", ("run", self.folder): "expected --source-dir",
                            ("run", folder, "--mode", "fast"): "--mode fast: expected full or analyze",
                            ("run", folder, "--approve=maybe"): "--approve maybe: expected auto or ask",
                            ("run", folder, "--max-rounds", "-1"): "--max-rounds -1",
                            ("run", folder, "--mode=analyze", "--approve=ask"): "nothing that could be approved", ("run", folder, "--workspace", "moon"): "moon",
                            ("run", folder, "--workspace=databricks"): "DATABRICKS_HOST is not set", ("up", "now"): "now",
                            ("down", "now"): "now", ("status", "now"): "now", ("lint", "now"): "now", ("build", "now"): "now",
                            ("test", "units"): "units", ("bench", "nothing"): "nothing"}.items():
            self.refused(self.bldr(*words), said, status=64)
        self.assertFalse(os.path.exists(self.path("home")))

    def test_help_does_nothing_else(self):
        for command in ["run", "analyze", "up", "down", "status", "test", "lint", "build", "version"]:
            for word in ["--help", "-h"]:
                done = self.bldr(command, word)
                self.assertEqual((done.returncode, done.stderr), (0, ""), command)
                self.assertIn("usage: ./bldr " + command, done.stdout)
        self.assertEqual(self.bldr("help", "run").stdout, self.bldr("run", "--help").stdout)
        self.assertRegex(self.bldr("--version").stdout, r"^nuvyn\.bldr \d+\.\d+\.\d+")
        self.assertFalse(os.path.exists(self.path("home")))

    def test_settings_of_an_env_file(self):
        self.write(".env", "# ours\nexport NUVYN_STATE = \"./a state//\"  # here\nNUVYN_OUTPUT=~/results # there\r\n")
        done = run("bash", "-euc", f'. "{self.CHECKOUT}/deploy/local/common.sh"; echo "$NUVYN_STATE|$OUTPUT_DIR"',
                   env={**ENVIRONMENT, "ROOT": self.CHECKOUT, "HOME": "/somewhere"}, cwd=self.folder)
        self.assertEqual(done.stdout, f"{self.folder}/a state|/somewhere/results\n", done.stderr)

    def test_somebody_elses_process(self):
        self.write("state/run/worker-1.pid", str(os.getpid()))
        done = self.script("stack_pid worker-1", more="stack", state="state")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)

    def test_a_machine_too_busy_to_start_at_once(self):
        os.makedirs(self.path("state/run"))
        os.makedirs(self.path("state/logs"))
        self.write("serve.sh", "touch listens; sleep 60")
        late = 'setsid() { sleep 0.5; exec "$@"; }; '  # still the shell, as its command line says
        done = self.script(late + 'cd "$NUVYN_STATE"; stack_start worker-1 sh ../serve.sh "$NUVYN_STATE/certs/worker-1.crt"; '
                           'stack_wait worker-1 20 test -f listens; kill "$(stack_pid worker-1)"; echo up', more="stack", state="state")
        self.assertEqual((done.returncode, done.stdout), (0, "up\n"), done.stderr)
        done = self.script('stack_start worker-1 false "$NUVYN_STATE/certs/worker-1.crt"; stack_wait worker-1 20 false', more="stack",
                           state="state")
        self.refused(done, "worker-1 did not start", status=69)

    def test_a_stack_goes_down_with_the_last_run(self):
        os.makedirs(self.path("state/run"))
        mocks = 'stack_any_up() { [ -f "$NUVYN_STATE/up" ]; }; stack_start_all() { touch "$NUVYN_STATE/up"; }; ' \
                'stack_stop() { rm "$NUVYN_STATE/up"; echo stopped; }; '
        runs = mocks + 'cd "$NUVYN_STATE"; (stack_borrow local; until [ -f in ]; do sleep 0.02; done; echo first; touch out) & ' \
                       '(stack_borrow local; touch in; until [ -f out ]; do sleep 0.02; done; sleep 0.3; echo second) & wait'
        self.assertEqual(self.script(runs, more="stack", state="state").stdout, "first\nsecond\nstopped\n")
        self.assertEqual(self.script(mocks + "stack_up local; (stack_borrow local); echo over", more="stack", state="state").stdout, "over\n")

    def test_a_download_that_is_another(self):
        os.mkdir(self.path("home"))
        self.program("npm", "echo something else > x.tgz; echo x.tgz")
        done = self.script(f"npm_fetch_one duckdb 1.0 {'0' * 64} package/lib lib/lib", self.path("bin"))
        self.refused(done, "duckdb 1.0", "SHA-256", "refusing to use it")
        self.assertEqual(os.listdir(self.path("home")), [])

    def test_no_registry(self):
        os.mkdir(self.path("home"))
        self.program("npm", "echo no route to host >&2; exit 1")
        done = self.script(f"npm_fetch_one duckdb 1.0 {'0' * 64} package/lib lib/lib", self.path("bin"))
        self.refused(done, "no route to host", "duckdb 1.0", "network")
        self.assertEqual(os.listdir(self.path("home")), [])

    def test_a_java_that_is_too_old(self):
        self.program("java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
        done = self.script("spark_java; echo $JAVA_HOME", self.path("bin"))
        if done.returncode == 0:  # Debian's is there
            self.assertRegex(done.stdout, "^/usr/lib/jvm/java-17-openjdk-")
        self.assertIn("Java 11", done.stderr)
        self.assertIn("17 or later", done.stderr)
        self.program("java", "echo 'openjdk version \"21.0.4\" 2024-07-16' >&2")
        self.assertEqual(self.script("spark_java", self.path("bin")).stderr, "")

    def test_no_room(self):
        os.mkdir(self.path("home"))
        done = self.script('deps_room "$NUVYN_HOME" 1000000000')
        self.refused(done, self.path("home"), "MiB free", "are needed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
