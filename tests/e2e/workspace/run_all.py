"""Runs the SDK's tests against a server over HTTPS, then the tests of its life. Closes with one line of counts."""

import os
import sys
import unittest

from server import Server


def run(module, names):
    """Runs the module's tests, or those of the names that are in it (Class or Class.test)."""
    loader = unittest.TestLoader()
    wanted = [name for name in names if hasattr(module, name.split(".")[0])]
    if names and not wanted:
        return []
    tests = loader.loadTestsFromNames(wanted, module) if names else loader.loadTestsFromModule(module)
    return [unittest.TextTestRunner(verbosity=2).run(tests)]


def main():
    names = sys.argv[1:]
    results = []
    server = Server(tls=True)
    try:
        server.start().wait_for_spark()
        os.environ["WORKSPACE_URL"], os.environ["WORKSPACE_SECRET"] = server.url, server.secret
        os.environ["REQUESTS_CA_BUNDLE"] = str(server.cert)
        import test_sdk
        results = run(test_sdk, names)
    finally:
        server.close()
    os.environ.pop("REQUESTS_CA_BUNDLE", None)
    import test_life
    results += run(test_life, names)
    failed = sum(len(r.failures) + len(r.errors) for r in results)
    print(f"{sum(r.testsRun for r in results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
