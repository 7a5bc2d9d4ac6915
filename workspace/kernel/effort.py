"""How much effort Spark is to make for speed: little for little data, where most of it would never pay off.

Compiling each query to Java and choosing its plan anew while it runs takes some tenths of a second of processor time per
query; a pipeline has hundreds of queries. Over tens of thousands of rows, interpreting them is done before the compiler is.
"""

import os

LITTLE_BYTES = 64 * 1024 * 1024  # tables and files of the workspace together
MOST_FILES = 20_000              # so many are not little, whatever is in them

LITTLE = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
}


def is_little(root):
    """Whether the folder holds little data; it is looked through no further than to tell."""
    size = files = 0
    folders = [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_size
                    if size > LITTLE_BYTES or files > MOST_FILES:
                        return False
        except FileNotFoundError:  # dropped or vacuumed meanwhile
            continue
    return True
