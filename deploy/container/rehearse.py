#!/usr/bin/env python3
"""Starts every service of compose.yaml from the trees that rehearse.sh made, and sends runs through them.

Called by rehearse.sh in mount, process and network namespaces of its own, so the services have their ports to themselves,
reach nothing else, and end with this program. Named volumes are folders below WORK/volumes.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose/compose.yaml"
WORK = pathlib.Path(sys.argv[1]).resolve()
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def stages() -> dict[str, dict]:
    """Of each stage of the Containerfile: its user and its entry point."""
    found: dict[str, dict] = {}
    for line in (ROOT / "deploy/container/Containerfile").read_text().splitlines():
        if match := re.match(r"FROM \S+ AS (\S+)", line):
            name = match[1]
            found[name] = {"user": "0:0", "entrypoint": []}
        elif line.startswith("USER "):
            found[name]["user"] = line.removeprefix("USER ")
        elif line.startswith("ENTRYPOINT "):
            found[name]["entrypoint"] = yaml.safe_load(line.removeprefix("ENTRYPOINT "))
    return found


STAGES = stages()


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def prepare_tree(service: str, definition: dict) -> pathlib.Path:
    """An overlay over the stage's tree for this one service, with its volumes bound."""
    target = definition["build"]["target"]
    place = WORK / "run" / service
    for part in ("upper", "work", "tree"):
        (place / part).mkdir(parents=True, exist_ok=True)
    lower = WORK / "stage" / target
    tree = place / "tree"
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work", str(tree))
    mount("-t", "proc", "proc", str(tree / "proc"))
    mount("--rbind", "/dev", str(tree / "dev"))
    (tree / "etc/hosts").write_text("127.0.0.1 localhost controlplane workspace\n")
    for volume in definition.get("volumes", ()):
        source, inside, *mode = volume.split(":")
        named = not source.startswith(".")
        outside = WORK / "volumes" / source if named else (COMPOSE.parent / source).resolve()
        if named and not outside.exists():  # an engine fills a new volume with what the image has there, owner included
            outside.mkdir(parents=True)
            image = lower / inside.lstrip("/")
            if image.exists():
                os.chown(outside, image.stat().st_uid, image.stat().st_gid)
        (tree / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
        mount("--bind", str(outside), str(tree / inside.lstrip("/")))
        if mode == ["ro"]:
            mount("-o", "remount,bind,ro", str(tree / inside.lstrip("/")))
    return tree


def command_of(definition: dict, tree: pathlib.Path, extra: dict[str, str]) -> list[str]:
    target = definition["build"]["target"]
    stage = STAGES[target]
    entrypoint = definition.get("entrypoint", stage["entrypoint"])
    words = [*entrypoint, *definition.get("command", ())]
    user = "0:0" if definition.get("user") == "root" else stage["user"]
    image = [line for line in (WORK / "stage" / f"{target}.env").read_text().split("\n") if line]
    environment = [f"{k}={v}" for k, v in {**definition.get("environment", {}), **extra}.items()]
    return ["env", "-i", f"PATH={PATH}", "HOME=/var/lib/nuvyn", *image, *environment,
            "chroot", f"--userspec={user}", str(tree), *(word.replace("$$", "$") for word in words)]


def start(service: str, definition: dict) -> subprocess.Popen:
    tree = prepare_tree(service, definition)
    log = open(WORK / "run" / f"{service}.log", "wb")
    return subprocess.Popen(command_of(definition, tree, {}), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def fail(text: str) -> None:
    print(f"rehearse: {text}", file=sys.stderr)
    for log in sorted((WORK / "run").glob("*.log")):
        print(f"--- {log.name}\n{log.read_text()[-1500:]}", file=sys.stderr)
    sys.exit(1)


class Operator:
    """nuvynctl, out of the controlplane image, with the operator's certificate."""

    def __init__(self, definition: dict):
        volumes = ["certs:/certs:ro", "workspace:/workspace:ro", "../../data:/data:ro"]
        self.definition = {"build": definition["build"], "entrypoint": ["nuvynctl"], "user": "root", "volumes": volumes}
        self.tree = prepare_tree("operator", self.definition)
        self.environment = {"NUVYN_ADDRESS": "controlplane:7443", "NUVYN_CA": "/certs/ca.crt",
                            "NUVYN_CERT": "/certs/operator.crt", "NUVYN_KEY": "/certs/operator.key"}

    def __call__(self, *words: str, extra: dict[str, str] | None = None, check: bool = True) -> bool:
        definition = {**self.definition, "command": list(words)}
        done = subprocess.run(command_of(definition, self.tree, {**self.environment, **(extra or {})}), check=False,
                              stdout=None if check else subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL)
        if check and done.returncode != 0:
            fail(f"nuvynctl {' '.join(words)}: exit status {done.returncode}")
        return done.returncode == 0


def wait_for(what: str, seconds: int, processes: dict[str, subprocess.Popen], ready) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        for name, process in processes.items():
            if process.poll() is not None:
                fail(f"{name} ended with status {process.returncode} before {what}")
        if time.monotonic() > deadline:
            fail(f"{what}: not within {seconds} s")
        time.sleep(0.3)


def main() -> int:
    mount("--make-rprivate", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    (WORK / "run").mkdir(exist_ok=True)
    print("   certs", flush=True)
    if start("certs", services.pop("certs")).wait() != 0:
        fail("the certificates could not be made")
    processes: dict[str, subprocess.Popen] = {}
    for name in ("workspace", "controlplane", *(n for n in services if n not in ("workspace", "controlplane"))):
        print(f"   {name}", flush=True)
        processes[name] = start(name, services[name])
    operator = Operator(services["controlplane"])
    wait_for("the control plane serves", 60, processes, lambda: operator("health", check=False))
    secret = WORK / "volumes/workspace/workspace/client-secret"
    wait_for("the workspace has its secret", 60, processes, secret.exists)
    account = {"DATABRICKS_HOST": "https://workspace:8443", "DATABRICKS_CLIENT_ID": "nuvyn", "DATABRICKS_CATALOG": "main",
               "DATABRICKS_CLIENT_SECRET": secret.read_text().strip(), "DATABRICKS_CA_FILE": "/certs/ca.crt"}
    for tenant in ("local", "acme"):
        operator("tenant", "describe", tenant, check=False) or operator("tenant", "create", tenant)
        operator("tenant", "set-credential", tenant, extra=account)
    operator("pool", "describe", "acme", check=False) or operator("pool", "create", "acme", "--dedicated-to", "acme")
    operator("worker", "list")
    for words in (["--tenant", "local", "--mode", "analyze"], ["--tenant", "acme", "--mode", "analyze"], ["--tenant", "local"]):
        operator("run", "submit", "--source", "/data/ecommerce", "--watch", *words)
    for process in reversed(processes.values()):
        process.terminate()
    for name, process in processes.items():
        status = process.wait(timeout=90)
        print(f"   {name} stopped with status {status}")
    print("every service ran from its image's tree, and the runs went through")
    return 0


if __name__ == "__main__":
    sys.exit(main())
