"""Holds the codec against protobuf's own json_format: what we write it must read as the same message, and the other way."""
import base64
import importlib
import pathlib
import subprocess
import sys

peer, generated = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(generated))
for path in sorted((generated / "nuvyn").glob("*_pb2.py")):
    importlib.import_module(f"nuvyn.{path.stem}")
from google.protobuf import json_format, descriptor_pool  # noqa: E402


def message_class(name):
    return descriptor_pool.Default().FindMessageTypeByName(name)._concrete_class


def same(a, b):
    return a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


COUNT = 1600
process = subprocess.Popen([peer, str(COUNT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
cases = []
for line in process.stdout:
    if line == "end\n":
        break
    name, packed, json = line.rstrip("\n").split(" =")
    cases.append((name, base64.b64decode(packed), base64.b64decode(json)))
assert len(cases) == COUNT, len(cases)


def ask(name, json):
    process.stdin.write(f"{name} ={base64.b64encode(json.encode()).decode()}\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n").split(" ", 1)


for name, packed, json in cases:
    expected = message_class(name)()
    expected.ParseFromString(packed)
    ours = json_format.Parse(json, message_class(name)())
    assert same(ours, expected), f"python reads our JSON otherwise: {name}\n{json.decode()}"
    for options in ({}, {"preserving_proto_field_name": True}, {"use_integers_for_enums": True, "indent": 0}):
        theirs = json_format.MessageToJson(expected, **options)
        verdict, rest = ask(name, theirs)
        assert verdict == "ok", f"we refuse python's JSON: {rest}\n{theirs}"
        back = message_class(name)()
        back.ParseFromString(base64.b64decode(rest.lstrip("=")))
        assert same(back, expected), f"we read python's JSON otherwise: {name}\n{theirs}"

# Where both must refuse, or both accept with the same meaning. (Ours is stricter in one place: a field given under both
# its names is refused, where Python lets the last one win.)
CASES = [
    ("nuvyn.v1.Execution", '{"jobId":"1","jobId":"2"}'),
    ("nuvyn.v1.Execution", '{"jobId":1.5}'),
    ("nuvyn.v1.Execution", '{"jobId":1e3}'),
    ("nuvyn.v1.Execution", '{"jobId":9223372036854775808}'),
    ("nuvyn.v1.Execution", '{"jobId":"9223372036854775807"}'),
    ("nuvyn.v1.Execution", '{"jobId":true}'),
    ("nuvyn.v1.Execution", '{"state":null,"tasks":null}'),
    ("nuvyn.v1.Execution", '{"tasks":[null]}'),
    ("nuvyn.v1.Execution", '{"state":3}'),
    ("nuvyn.v1.Execution", '{"nonsense":3}'),
    ("nuvyn.v1.Scorecard", '{"score":"1.5"}'),
    ("nuvyn.v1.Scorecard", '{"score":"Infinity"}'),
    ("nuvyn.v1.Scorecard", '{"score":"x"}'),
    ("nuvyn.v1.Scorecard", '{"rounds":2147483648}'),
    ("nuvyn.v1.Scorecard", '{"succeeded":"true"}'),
    ("nuvyn.v1.WorkerMessage", '{"hello":{},"accepted":{}}'),
    ("nuvyn.v1.WorkerMessage", '{"hello":{},"accepted":null}'),
    ("nuvyn.v1.DocumentChunk", '{"data":"_-8="}'),
    ("nuvyn.v1.DocumentChunk", '{"data":"/+8="}'),
    ("nuvyn.v1.Review", '{"checks":[{"status":"CHECK_STATUS_NOPE"}]}'),
    ("nuvyn.v1.Review", '{"checks":[{"status":2}]}'),
    ("nuvyn.v1.Review", '{"checks":{}}'),
]
for name, json in CASES:
    try:
        expected = json_format.Parse(json, message_class(name)())
    except (json_format.ParseError, ValueError):
        expected = None
    verdict, rest = ask(name, json)
    assert (verdict == "ok") == (expected is not None), f"{json}: we say {verdict} {rest}"
    if expected is not None:
        back = message_class(name)()
        back.ParseFromString(base64.b64decode(rest.lstrip("=")))
        assert same(back, expected), json

process.stdin.close()
process.wait(10)
print(f"{len(cases)} messages in both directions, {len(CASES)} borderline documents: the same as protobuf's own")
