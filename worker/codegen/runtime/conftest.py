"""One local Spark for all tests, and this project with a schema and a folder of raw files of its own."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    from local_spark import start_spark
    session = start_spark(str(tmp_path_factory.mktemp("spark")))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def project(spark, tmp_path_factory):
    from local_spark import Project
    return Project(spark, str(ROOT), "pipeline_test", str(tmp_path_factory.mktemp("raw")))
