"""The Databricks notebook source format: a header line, cells between separators, magic lines."""

import re
from dataclasses import dataclass

_COMMENT = {"PYTHON": "#", "SQL": "--"}
_DEFAULT = {"PYTHON": "python", "SQL": "sql"}


class SourceError(Exception):
    pass


@dataclass
class Cell:
    kind: str  # python, sql, md, run, or the magic word that we do not carry out
    text: str  # without its magic prefix
    line: int  # of its first line in the notebook, from 1
    argument: str = ""  # what follows the magic word on its line


def parse(text, language):
    """The cells of a notebook. Text without the header line is one cell."""
    if language not in _COMMENT:
        raise SourceError(f"a notebook in {language}: the local workspace runs PYTHON and SQL notebooks")
    mark = _COMMENT[language]
    lines = text.split("\n")
    lines = [line[:-1] if line.endswith("\r") else line for line in lines]
    first = 0
    if lines and lines[0] == f"{mark} Databricks notebook source":
        first = 1
    cells, start = [], first
    for index in range(first, len(lines) + 1):
        if index == len(lines) or lines[index].rstrip() == f"{mark} COMMAND ----------":
            cell = _cell(lines[start:index], start + 1, language, mark)
            if cell:
                cells.append(cell)
            start = index + 1
    return cells


def _cell(lines, number, language, mark):
    while lines and (not lines[0].strip() or lines[0].startswith(f"{mark} DBTITLE ")):
        lines, number = lines[1:], number + 1
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if not lines:
        return None
    if not lines[0].startswith(f"{mark} MAGIC"):
        return Cell(_DEFAULT[language], "\n".join(lines), number)
    return _magic([_unprefixed(line, mark) for line in lines], number, language)


def _unprefixed(line, mark):
    prefix = f"{mark} MAGIC"
    if line.startswith(prefix + " "):
        return line[len(prefix) + 1:]
    return "" if line.rstrip() == prefix else line


def _magic(lines, number, language):
    match = re.match(r"%([A-Za-z_-]+)\s*(.*)\Z", lines[0])
    if not match:
        return Cell(_DEFAULT[language], "\n".join(lines), number)
    word, rest = match.group(1).lower(), match.group(2)
    if word in ("run", "pip", "sh", "fs"):
        return Cell(word, "\n".join([rest] + lines[1:]).strip(), number, rest.strip())
    # The first line keeps its place, so that line numbers stay those of the notebook.
    return Cell(word, "\n".join([rest] + lines[1:]), number, rest.strip())


def resolve(base, target):
    """The workspace path of `%run target` in the notebook at base."""
    target = target.strip().strip("\"'")
    parts = [] if target.startswith("/") else base.strip("/").split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                raise SourceError(f"%run {target}: leaves the workspace")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
