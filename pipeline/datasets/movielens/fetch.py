"""Gets a release from GroupLens, for those who accepted its licence; nothing else in the suite uses a network."""

import shutil
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from ...errors import InputError
from .archive import checked
from .releases import Release

_SECONDS = 30


def fetch(release: Release, folder: Path) -> Path:
    """The zip as published, now in ``folder``, its MD5 checked.

    Raises:
        InputError: it cannot be got, or is not as published.

    """
    path = folder / f"{release.name}.zip"
    try:
        with urllib.request.urlopen(release.address, timeout=_SECONDS) as answer, path.open("wb") as written:
            shutil.copyfileobj(answer, written)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise InputError(
            f"{release.address}: cannot be got ({getattr(error, 'reason', error)}); without internet, bring the file"
            f" from elsewhere and run 'technobench data make {release.name} {release.name}.zip'"
        ) from error
    checked(path, release)
    return path
