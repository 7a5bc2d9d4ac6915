"""run.py BUILD_DIR [PROGRAM…]: local and pushed-down profiles of the same data, side by side, the latter on real Spark."""

import os
import pathlib
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[3]
os.environ["WORKSPACE_BINARY"] = str(build / "bin/nuvyn-workspace")
sys.path.insert(0, str(root / "tests/e2e/workspace"))
from server import Server  # noqa: E402  (needs WORKSPACE_BINARY)

server = Server(tls=True)
try:
    server.start().wait_for_spark()
    environment = {**os.environ, "PUSHDOWN_HOST": server.url, "PUSHDOWN_SECRET": server.secret,
                   "PUSHDOWN_CA": str(server.cert), "PUSHDOWN_DATA": str(root / "data/ecommerce")}
    failed = 0
    for program in sys.argv[2:] or ("formats_agree", "pushdown_agrees"):
        failed |= subprocess.run([build / "tests" / program], env=environment, timeout=850).returncode
    if failed:
        print((server.state / "server.log").read_text()[-4000:], file=sys.stderr)
    sys.exit(failed)
finally:
    server.close()
