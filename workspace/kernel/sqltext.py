"""Reading SQL text as far as the workspace must: splitting scripts, and the statements that only Databricks knows."""

import re

IDENT = _IDENT = r"(?:`(?:[^`]|``)+`|[A-Za-z_][\w]*)"
_NAME = rf"{_IDENT}(?:\s*\.\s*{_IDENT}){{0,2}}"
_SECURABLE = (rf"(?:(?P<metastore>METASTORE)|(?:(?P<kind>CATALOG|SCHEMA|DATABASE|TABLE|VIEW|VOLUME|FUNCTION)\s+)?"
              rf"(?P<name>{_NAME}))")
_COMMENT = r"(?:\s+COMMENT\s+(?P<comment>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"))?"

_PATTERNS = [(kind, re.compile(pattern + r"\s*;?\s*\Z", re.IGNORECASE | re.DOTALL)) for kind, pattern in (
    ("create_catalog", rf"CREATE\s+CATALOG\s+(?P<quiet>IF\s+NOT\s+EXISTS\s+)?(?P<name>{_IDENT}){_COMMENT}"),
    ("drop_catalog", rf"DROP\s+CATALOG\s+(?P<quiet>IF\s+EXISTS\s+)?(?P<name>{_IDENT})(?:\s+(?P<mode>CASCADE|RESTRICT))?"),
    ("show_catalogs", r"SHOW\s+CATALOGS(?:\s+LIKE\s+(?P<like>'[^']*'))?"),
    ("use_catalog", rf"(?:USE|SET)\s+CATALOG\s+(?P<name>{_IDENT}|'[^']+')"),
    ("create_volume", rf"CREATE\s+VOLUME\s+(?P<quiet>IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME}){_COMMENT}"),
    ("create_external_volume", r"CREATE\s+EXTERNAL\s+VOLUME\b.*"),
    ("drop_volume", rf"DROP\s+VOLUME\s+(?P<quiet>IF\s+EXISTS\s+)?(?P<name>{_NAME})"),
    ("show_volumes", rf"SHOW\s+VOLUMES(?:\s+(?:IN|FROM)\s+(?P<name>{_NAME}))?"),
    ("create_view", rf"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?VIEW\s+(?P<quiet>IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})"
                    r"(?P<rest>[\s(].*)"),
    ("drop_view", rf"DROP\s+VIEW\s+(?P<quiet>IF\s+EXISTS\s+)?(?P<name>{_NAME})"),
    ("list", r"LIST\s+(?P<path>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\")(?:\s+LIMIT\s+(?P<limit>\d+))?"),
    ("grant", rf"(?:GRANT|(?P<revoke>REVOKE))\s+(?P<privileges>[A-Za-z_,\s]+?)\s+ON\s+{_SECURABLE}\s+(?:TO|FROM)\s+"
              r"(?P<principal>`[^`]+`|[^\s;`]+)"),
    ("show_grants", rf"SHOW\s+GRANTS?(?:\s+(?:TO\s+)?(?P<principal>`[^`]+`|(?!ON\s)[^\s;`]+))?\s+ON\s+{_SECURABLE}"),
    ("bad_grant", r"(?:GRANT|REVOKE|SHOW\s+GRANTS?)\b.*"),
)]


def strip_comments(text):
    """The text without comments in front of the statement."""
    while True:
        text = text.lstrip()
        if text.startswith("--"):
            text = text.partition("\n")[2]
        elif text.startswith("/*") and not text.startswith("/*+"):
            text = text.partition("*/")[2]
        else:
            return text


def recognize(text):
    """(kind, groups) of a statement that the workspace carries out itself, else None."""
    head = strip_comments(text)
    for kind, pattern in _PATTERNS:
        match = pattern.match(head)
        if match:
            return kind, match.groupdict()
    return None


def parts(name):
    """The parts of a dotted name, quotes removed."""
    found = re.findall(_IDENT, name)
    return [part[1:-1].replace("``", "`") if part.startswith("`") else part for part in found]


def literal(text):
    """The value of a quoted SQL string; None stays None."""
    if text is None:
        return None
    body = text[1:-1]
    if text[0] == "'":
        body = body.replace("''", "'")
    return re.sub(r"\\(.)", r"\1", body)


def split(script):
    """The statements of a script, split at semicolons outside quotes and comments; blank ones left out."""
    statements, start, i, end = [], 0, 0, len(script)
    while i < end:
        if script[i] == ";":
            statements.append(script[start:i])
            start = i + 1
        i = skip(script, i)
    statements.append(script[start:])
    return [s.strip() for s in statements if strip_comments(s).strip()]


def skip(text, i):
    """Past the quoted text or comment that begins at i, else past the one character there."""
    if text[i] in "'\"`":
        return _skip_quoted(text, i)
    if text.startswith("--", i):
        newline = text.find("\n", i)
        return len(text) if newline < 0 else newline
    if text.startswith("/*", i):
        close = text.find("*/", i + 2)
        return len(text) if close < 0 else close + 2
    return i + 1


def _skip_quoted(text, i):
    quote = text[i]
    i += 1
    while i < len(text):
        if text[i] == "\\" and quote != "`":
            i += 2
        elif text[i] == quote:
            return i + 1
        else:
            i += 1
    return i
