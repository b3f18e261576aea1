"""Revisions of a checkout, each built once and given the environment of its lock: what a gate compares."""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import filelock

from ..pipeline.errors import InputError
from ..pipeline.home import home, new_folder
from .launches import Arm

Say = Callable[[str], None]
_SHORT = 12
_SHOWN_OF_ERROR = 1000
_NOBODY = {"GIT_AUTHOR_NAME": "technobench", "GIT_AUTHOR_EMAIL": "technobench", "GIT_AUTHOR_DATE": "@0 +0000"}
_NOBODY |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in _NOBODY.items()}
"""Who commits a working tree, and when: the same files are the same commit."""


class Repository:
    """The git checkout that a folder is in."""

    def __init__(self, folder: Path) -> None:
        """Find it.

        Raises:
            InputError: there is none.

        """
        self.root = folder
        self.root = Path(self._git("rev-parse", "--show-toplevel"))

    def commit(self, revision: str) -> str:
        """The commit that a name stands for.

        Raises:
            InputError: it stands for none.

        """
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except InputError:
            known = f"'{revision}' is no revision of {self.root}"
            raise InputError(f"{known}; where the clone is shallow, 'git fetch --unshallow' brings the rest") from None

    def knows(self, commit: str) -> bool:
        """Whether a commit, given by its hash, is in the clone."""
        try:
            return self.commit(commit) == commit
        except InputError:
            return False

    def commits(self, first: str, last: str) -> list[str]:
        """Commits after ``first`` up to ``last``, along first parents, oldest first.

        Raises:
            InputError: one of them is no revision.

        """
        found = self._git("rev-list", "--first-parent", "--reverse", f"{self.commit(first)}..{self.commit(last)}")
        return found.split()

    def ancestry(self) -> list[str]:
        """The commit that is checked out and all that it comes from, oldest first, each after its parents."""
        return self._git("rev-list", "--topo-order", "--reverse", "HEAD").split()

    def working_tree(self) -> str:
        """The commit that is checked out, or one of the files as they are where these differ; on no branch."""
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", "HEAD", environment=index)
            self._git("add", "--all", environment=index)
            tree = self._git("write-tree", environment=index)
        head = self.commit("HEAD")
        if tree == self._git("rev-parse", f"{head}^{{tree}}"):
            return head
        return self._git("commit-tree", tree, "-p", head, "-m", "working tree", environment=_NOBODY)

    @contextlib.contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """The files of a commit in a folder of their own, as long as the block is open."""
        with tempfile.TemporaryDirectory(prefix="technobench-") as made:
            folder = Path(made) / "worktree"
            self._git("worktree", "add", "--quiet", "--detach", str(folder), commit)
            try:
                yield folder
            finally:
                self._git("worktree", "remove", "--force", str(folder))

    def _git(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return _output(command, {**os.environ, **(environment or {})}).strip()


def _output(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints.

    Raises:
        InputError: it fails, or does not start.

    """
    name = " ".join(str(word) for word in command[:1])
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise InputError(f"{name} does not start: {error.strerror}") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-_SHOWN_OF_ERROR:]
        raise InputError(f"{' '.join(map(str, command))}: {told or f'exit status {done.returncode}'}")
    return done.stdout


def arm(repository: Repository, name: str, commit: str, lock: str | None, say: Say) -> Arm:
    """A commit ready to be measured; checkouts and environments are kept for the next time.

    Args:
        repository: where the commit is.
        name: of the arm.
        commit: its full hash.
        lock: file, in the commit, of what its environment has; None for the environment of this process.
        say: is told of what takes long.

    Raises:
        InputError: it does not build or install.

    """
    # Of each interpreter: files that it compiles, such as Numba's, lie beside the sources.
    folder = home() / "revisions" / f"{commit[:_SHORT]}-{sys.implementation.cache_tag}"
    with _alone(folder):
        if not folder.is_dir():
            say(f"{name}: building {commit[:_SHORT]}")
            with repository.worktree(commit) as files, new_folder(folder) as made:
                _build(files, made)
                if (files / "locks").is_dir():
                    (files / "locks").rename(made / "locks")
    if lock is None:
        return Arm(name, Path(sys.executable), folder / "site", commit)
    locked = folder / "locks" / Path(lock).name
    if not locked.is_file():
        raise InputError(f"{commit[:_SHORT]} has no {lock}; name another by --lock, or use --this-environment")
    return Arm(name, _environment(locked, say), folder / "site", commit)


def _build(files: Path, folder: Path) -> None:
    """Install the package of a checkout, without what it needs, to ``folder/site``."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile"]
    _output([*command, "--target", folder / "site", files], {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})


def _environment(lock: Path, say: Say) -> Path:
    """The interpreter of an environment that has what a lock says.

    Raises:
        InputError: it does not install.

    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:_SHORT]
    folder = home() / "environments" / f"{lock.stem}-{digest}-{sys.implementation.cache_tag}"
    python, whole = folder / "bin" / "python", folder / "installed"
    with _alone(folder):
        if not whole.is_file():  # an environment knows its own path, so that it cannot be moved into place
            say(f"installing {lock.name} ({digest})")
            _output([sys.executable, "-m", "venv", "--clear", folder])
            _output([python, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock])
            whole.touch()
    return python


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process makes the same folder meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
        yield
