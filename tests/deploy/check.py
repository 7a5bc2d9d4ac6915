#!/usr/bin/env python3
"""Holds every file of deploy/ against what it speaks of.

    check.py BUILD_DIR HELM

Kubernetes objects (the chart, rendered with its defaults and with ci/every-value.yaml) against Kubernetes' and KEDA's
schemas, the Container Apps templates against Azure's own models, and each program's options and environment, wherever a unit,
compose file, chart or template names them, against the program itself: it is run with them and `--help`, so an unknown
option or a value out of range is its own error, and what `--help` calls required must be given.
"""
import enum
import functools
import pathlib
import re
import shlex
import subprocess
import sys
import typing

import kubernetes_validate
import pydantic
import yaml
from azure.mgmt.appcontainers import models as azure
from azure.mgmt.appcontainers._utils.model_base import Model
from cloudcoil.models.keda import v1alpha1 as keda

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
PROGRAMS = ("nuvyn-controlplane", "nuvyn-worker", "nuvyn-workspace", "nuvynctl")
# What a program reads besides its own options (docs/language-models.md, docs/operations.md).
FOREIGN_VARIABLES = re.compile(r"(DATABRICKS|NUVYN_LLM|OTEL)_[A-Z_]+|NUVYN_HOME|LANG")
KUBERNETES = "1.33"

problems: list[str] = []


def problem(where: str, text: str) -> None:
    problems.append(f"{where}: {text}")


@functools.lru_cache
def help_of(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, env={}, check=False)
    return done.stdout + done.stderr


def check_process(where: str, bin_dir: pathlib.Path, words: list[str], environment: dict[str, str]) -> None:
    """One process as a deploy file starts it: words[0] is the program, the rest its arguments."""
    program = pathlib.PurePath(words[0]).name
    if program not in PROGRAMS:
        return problem(where, f"{program}: expected one of {', '.join(PROGRAMS)}")
    command = (str(bin_dir / program),)
    told = help_of(command)
    for name in environment:
        if f"[{name}]" not in told and not FOREIGN_VARIABLES.fullmatch(name):
            problem(where, f"{program} does not read {name}")
    done = subprocess.run([*command, *words[1:], "--help"], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0 or "sage: " not in done.stdout:
        problem(where, f"{program}: {(done.stderr or done.stdout).strip().splitlines()[0]}")
    for line in told.splitlines():
        required = re.match(r"\s+(--[a-z-]+) .*\(required\).*\[([A-Z_]+)\]", line)
        if required and required[2] not in environment and not any(w.split("=")[0] == required[1] for w in words):
            problem(where, f"{program}: {required[1]} ({required[2]}) is required and not given")


def check_shell(where: str, bin_dir: pathlib.Path, script: str) -> None:
    """The nuvynctl calls of a shell script: the verb exists and its help names each option."""
    for call in re.findall(r"nuvynctl ([^;\n|&]+)", script):
        words = shlex.split(call.replace("$$", "$"))
        told = help_of((str(bin_dir / "nuvynctl"), *words[:2]))
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            if not re.search(rf"{option}\b", told):
                problem(where, f"nuvynctl {' '.join(words[:2])} has no {option}")


# --- Kubernetes


def check_kubernetes_object(where: str, item: dict) -> None:
    if item["apiVersion"].startswith("keda.sh/"):
        try:
            getattr(keda, item["kind"]).model_validate(item, extra="forbid")
        except pydantic.ValidationError as error:
            problem(where, str(error))
        return
    try:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        problem(where, f"{'.'.join(map(str, error.path))}: {error.message}")


def pod_of(item: dict) -> dict:
    return item.get("spec", {}).get("template", {}) if item["kind"] != "Service" else {}


def check_ports(where: str, items: list[dict]) -> None:
    """Ports that probes and services name are ports that the containers meant declare."""
    for item in items:
        containers = pod_of(item).get("spec", {}).get("containers", ())
        for container in containers:
            named = {port.get("name") for port in container.get("ports", ())} | {p["containerPort"] for p in container.get("ports", ())}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for kind in container.get(probe, {}).values():
                    if isinstance(kind, dict) and "port" in kind and kind["port"] not in named:
                        problem(where, f"{item['kind']} {item['metadata']['name']}: {probe}: the container has no port {kind['port']}")
        if item["kind"] != "Service":
            continue
        selector = item["spec"]["selector"].items()
        behind = [pod for pod in map(pod_of, items) if selector <= pod.get("metadata", {}).get("labels", {}).items()]
        if not behind:
            problem(where, f"Service {item['metadata']['name']}: its selector finds no pod of the chart")
        named = {key for pod in behind for c in pod["spec"]["containers"] for p in c.get("ports", ()) for key in (p.get("name"), p["containerPort"])}
        for port in item["spec"]["ports"]:
            if port.get("targetPort", port["port"]) not in named:
                problem(where, f"Service {item['metadata']['name']}: no container has the port {port.get('targetPort', port['port'])}")


def check_chart(helm: str, bin_dir: pathlib.Path, values: pathlib.Path | None) -> None:
    chart = DEPLOY / "helm/nuvyn"
    chosen = ["-f", str(values)] if values else []
    subprocess.run([helm, "lint", "--strict", "--quiet", str(chart), *chosen], check=True)
    rendered = subprocess.run([helm, "template", "nuvyn", str(chart), *chosen], capture_output=True, text=True, check=True)
    items = [item for item in yaml.safe_load_all(rendered.stdout) if item]
    check_ports("helm/nuvyn", items)
    for item in items:
        where = f"helm/nuvyn{' with ' + values.name if values else ''}: {item['kind']} {item['metadata']['name']}"
        check_kubernetes_object(where, item)
        for container in item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
            environment = {e["name"]: e.get("value", VALUE.get(e["name"], "x")) for e in container.get("env", ())}
            check_process(where, bin_dir, [f"nuvyn-{container['name']}", *container["args"]], environment)


# What stands for a secret when a program looks at its environment.
VALUE = {"NUVYN_SEAL_KEY": "0" * 64, "NUVYN_STORE": "postgres://nuvyn@localhost/nuvyn"}


# --- Azure Container Apps


def check_model(where: str, model: type, value: object) -> None:
    """A value against a model of Azure's SDK: known names, right kinds, allowed words."""
    if not isinstance(value, dict):
        return problem(where, f"expected an object ({model.__name__})")
    model()  # the SDK fills its tables of names at the first instance
    fields = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}
    hints: dict[str, object] = {}
    for part in reversed(model.__mro__):
        hints.update(getattr(part, "__annotations__", {}))
    for key, inner in value.items():
        if key not in fields:
            problem(where, f"{key}: not a property of {model.__name__}")
        else:
            check_hint(f"{where}.{key}", hints[fields[key]], inner)


def check_hint(where: str, hint: object, value: object) -> None:
    if isinstance(hint, str):
        hint = typing.ForwardRef(hint)
    if isinstance(hint, typing.ForwardRef):
        name = hint.__forward_arg__.removeprefix("_models.").removeprefix("_types.")
        hint = getattr(azure, name, None)
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    if typing.get_origin(hint) is list:
        if not isinstance(value, list):
            return problem(where, "expected a list")
        for index, inner in enumerate(value):
            check_hint(f"{where}[{index}]", options[0], inner)
    elif typing.get_origin(hint) is typing.Union:
        words = [one for one in options if isinstance(one, typing.ForwardRef)]
        check_hint(where, words[0] if words else options[0], value)
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [one.value for one in hint]:
            problem(where, f"{value!r}: expected one of {', '.join(one.value for one in hint)}")
    elif isinstance(hint, type) and issubclass(hint, Model):
        check_model(where, hint, value)
    elif hint is float and isinstance(value, int) or hint is None:
        return
    elif isinstance(hint, type) and not isinstance(value, hint):
        problem(where, f"{value!r}: expected {hint.__name__}")


def check_container_apps(path: pathlib.Path, bin_dir: pathlib.Path) -> None:
    for app in yaml.safe_load_all(path.read_text()):
        where = f"{path.relative_to(DEPLOY)}: {app['name']}"
        check_model(where, azure.ContainerApp, app)
        secrets = {secret["name"] for secret in app["properties"]["configuration"]["secrets"]}
        for container in app["properties"]["template"]["containers"]:
            environment = {}
            for entry in container.get("env", ()):
                if "secretRef" in entry and entry["secretRef"] not in secrets:
                    problem(where, f"{entry['name']}: no secret {entry['secretRef']}")
                environment[entry["name"]] = entry.get("value", VALUE.get(entry["name"], "x"))
            check_process(where, bin_dir, [f"nuvyn-{container['name']}", *container.get("args", ())], environment)


# --- compose and systemd


def check_compose(path: pathlib.Path, bin_dir: pathlib.Path) -> None:
    for name, service in yaml.safe_load(path.read_text())["services"].items():
        where = f"{path.relative_to(DEPLOY)}: {name}"
        target = service["build"]["target"]
        if not re.search(rf"^FROM \S+ AS {target}$", (DEPLOY / "container/Containerfile").read_text(), re.M):
            problem(where, f"the Containerfile has no stage {target}")
        if target == "cli":
            check_shell(where, bin_dir, "\n".join(service["command"]))
        else:
            check_process(where, bin_dir, [f"nuvyn-{target}", *service.get("command", ())], service.get("environment", {}))


def env_file(path: pathlib.Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def check_unit(path: pathlib.Path, bin_dir: pathlib.Path) -> None:
    text = path.read_text()
    environment = dict(word.split("=", 1) for word in re.findall(r"^Environment=(\S+)$", text, re.M))
    for file in re.findall(r"^EnvironmentFile=-?/etc/nuvyn/(\S+)$", text, re.M):
        environment |= env_file(path.parent / f"{file}.example")
    for start in re.findall(r"^ExecStart=(.*)$", text, re.M):
        check_process(str(path.relative_to(DEPLOY)), bin_dir, shlex.split(start.replace("%i", "worker-1")), environment)


def main() -> int:
    bin_dir, helm = pathlib.Path(sys.argv[1]) / "bin", sys.argv[2]
    check_chart(helm, bin_dir, None)
    check_chart(helm, bin_dir, DEPLOY / "helm/nuvyn/ci/every-value.yaml")
    check_container_apps(DEPLOY / "azure/container-apps.yaml", bin_dir)
    check_compose(DEPLOY / "compose/compose.yaml", bin_dir)
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        check_unit(unit, bin_dir)
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
