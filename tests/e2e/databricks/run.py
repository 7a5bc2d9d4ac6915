"""run.py BUILD_DIR: our own Databricks client against the local workspace, over HTTPS with OAuth M2M, on real Spark."""

import os
import pathlib
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
os.environ["WORKSPACE_BINARY"] = str(build / "bin/nuvyn-workspace")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "workspace"))
from server import Server  # noqa: E402  (needs WORKSPACE_BINARY)

server = Server("--chunk-bytes", "65536", tls=True)
try:
    server.start().wait_for_spark()
    environment = {**os.environ, "TOUR_HOST": server.url, "TOUR_SECRET": server.secret, "TOUR_CA": str(server.cert)}
    result = subprocess.run([build / "tests/databricks_tour"], env=environment, timeout=240)
    if result.returncode:
        print((server.state / "server.log").read_text()[-4000:], file=sys.stderr)
    sys.exit(result.returncode)
finally:
    server.close()
