"""/Volumes/<catalog>/<schema>/<volume>/… in plain Python: open(), os, pathlib, shutil and what builds on them.

Spark reads and writes these paths through its own file system (VolumesFileSystem.java). Python's calls are redirected
here, because no folder /Volumes can be expected on a machine whose user is not root, or that runs two workspaces.
Libraries that open files from C by themselves (pyarrow) do not see it.
"""

import builtins
import io
import os
import re

PREFIXES = ("/Volumes", "/dbfs/Volumes")
_NAME = re.compile(r"[a-z0-9_]{1,255}")


class Volumes:
    def __init__(self, root):
        self.root = os.path.realpath(root)

    def volume(self, catalog, schema, volume):
        for kind, name in (("catalog", catalog), ("schema", schema), ("volume", volume)):
            if not _NAME.fullmatch(name.lower()):
                raise ValueError(f"{kind} name `{name}`: the local workspace allows letters, digits and _")
        return os.path.join(self.root, catalog.lower(), schema.lower(), "volumes", volume.lower())

    def real(self, path):
        """Where a path below /Volumes lies; any other path as it is."""
        is_text = isinstance(path, (str, bytes, os.PathLike)) and not isinstance(path, bool)
        if not is_text:
            return path
        text = os.fspath(path)
        if isinstance(text, bytes):
            text = os.fsdecode(text)
        for prefix in PREFIXES:
            if text == prefix or text.startswith(prefix + "/"):
                return self._inside(text, text[len(prefix):].strip("/"))
        return path

    def _inside(self, shown, rest):
        parts = [part for part in rest.split("/") if part]
        if not parts:
            return self.root
        if len(parts) < 3:
            return os.path.join(self.root, *[part.lower() for part in parts]) if ".." not in parts else self.root
        base = self.volume(*parts[:3])
        real = os.path.normpath(os.path.join(base, *parts[3:]))
        if real != base and not real.startswith(base + os.sep):
            raise PermissionError(f"{shown}: leaves its volume")
        return real

    def install(self):
        """Redirects the process's file calls."""
        def redirect(function, count=1):
            def redirected(*args, **kwargs):
                mapped = [self.real(arg) if index < count else arg for index, arg in enumerate(args)]
                for key in ("path", "src", "dst", "file"):
                    if key in kwargs:
                        kwargs[key] = self.real(kwargs[key])
                return function(*mapped, **kwargs)
            redirected.__name__ = getattr(function, "__name__", "redirected")
            redirected.__doc__ = function.__doc__
            return redirected

        builtins.open = io.open = redirect(io.open)
        for name in ("open", "stat", "lstat", "listdir", "scandir", "mkdir", "remove", "unlink", "rmdir", "access",
                     "chmod", "utime", "truncate"):
            setattr(os, name, redirect(getattr(os, name)))
        for name in ("rename", "replace", "link"):
            setattr(os, name, redirect(getattr(os, name), 2))
