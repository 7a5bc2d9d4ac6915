"""Runs the SDK's tests against a server over HTTPS, then the tests of its life. Closes with one line of counts."""

import os
import sys
import unittest

from server import Server


def main():
    server = Server(tls=True)
    try:
        server.start().wait_for_spark()
        os.environ["WORKSPACE_URL"], os.environ["WORKSPACE_SECRET"] = server.url, server.secret
        os.environ["REQUESTS_CA_BUNDLE"] = str(server.cert)
        import test_sdk
        loader = unittest.TestLoader()
        names = sys.argv[1:]
        load = lambda module: (loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module))
        results = [unittest.TextTestRunner(verbosity=2).run(load(test_sdk))]
    finally:
        server.close()
    del os.environ["REQUESTS_CA_BUNDLE"]
    if not names:
        import test_life
        results.append(unittest.TextTestRunner(verbosity=2).run(load(test_life)))
    failed = sum(len(r.failures) + len(r.errors) for r in results)
    print(f"{sum(r.testsRun for r in results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
