"""What runs first in each program of an archive: it gives os.environ back what PyInstaller's loader changed in it.

What this process starts (an exec plugin, `aws`, kubectl) would otherwise load our libraries, and a program that is
itself built by PyInstaller would take itself for a part of ours.
"""

import os
import sys


def restore() -> None:
    """Take the loader's variables away, and its folder off LD_LIBRARY_PATH; a value of the person's own comes back."""
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]
    ours = sys._MEIPASS  # type: ignore[attr-defined]  # set by the loader
    libraries = os.environ.get("LD_LIBRARY_PATH", "")
    if libraries == ours:
        del os.environ["LD_LIBRARY_PATH"]
    elif libraries.startswith(f"{ours}:"):
        os.environ["LD_LIBRARY_PATH"] = libraries.removeprefix(f"{ours}:")
        os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if sys.platform == "win32":
        import ctypes

        # There, what is started inherits the folder in which libraries are looked for.
        ctypes.windll.kernel32.SetDllDirectoryW(None)


restore()
