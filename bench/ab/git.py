"""What is asked of git: which commit a revision is, a copy of it, and the commits between two. Nothing is changed."""

import subprocess
from pathlib import Path

from bench.errors import UserError
from bench.kinds import nearest

#: The working tree as it is, without files that git does not follow.
WORKING_TREE = "."
_LIMIT_S = 600
#: A machine of a CI system knows nobody's name, and git makes no commit without one.
_ANONYMOUS = ("-c", "user.name=pinchpoint", "-c", "user.email=pinchpoint@localhost")


def run(folder: Path, *arguments: str) -> str:
    """What `git` prints. Raises `UserError` with its last words where it fails, or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"git could not be run: {error}.", "Install git, or compare two interpreters.") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        asked = next(each for each in arguments if each != "-c" and "=" not in each)
        raise UserError(f"git {asked} failed: {said}", "Check the revision and the repository.")
    return done.stdout.strip()


def top(folder: Path) -> Path:
    """The root of the repository that `folder` is in. Raises `UserError` where it is in none, or is someone else's."""
    try:
        return Path(run(folder, "rev-parse", "--show-toplevel"))
    except UserError as error:
        if "safe.directory" in error.message:  # a checkout that a container's root did not make
            remedy = f"Where you do, say so: git config --global --add safe.directory {folder}"
            raise UserError(f"{folder} is another user's repository, which git does not trust.", remedy) from error
        raise UserError(
            f"{folder} is in no git repository.",
            "Change into one, or give --base and --new the paths of two interpreters.",
        ) from error


def commit(repository: Path, revision: str) -> str:
    """The full id of a revision; of the working tree, a commit of its present state that no branch holds.

    Raises `UserError` with the nearest branches and tags where there is no such revision.
    """
    if revision == WORKING_TREE:
        changed = run(repository, "status", "--porcelain", "--untracked-files=no")
        return run(repository, *(*_ANONYMOUS, "stash", "create") if changed else ("rev-parse", "HEAD"))
    try:
        return run(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except UserError:
        known = run(repository, "for-each-ref", "--format=%(refname:short)").splitlines()
        raise UserError(
            f"There is no revision '{revision}' in {repository}.{nearest(revision, known)}",
            "Give a branch, a tag or a commit; in CI, fetch the whole history (fetch-depth: 0).",
        ) from None


def branch(repository: Path, revision: str) -> str | None:
    """The branch that a revision names, or that the working tree is on; None where it names none."""
    names = run(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
    if revision == WORKING_TREE:
        revision = run(repository, "rev-parse", "--abbrev-ref", "HEAD")
    return revision if revision in names else None


def copy(repository: Path, commit_id: str, folder: Path) -> None:
    """Check the commit out into `folder`, as a clone that shares the repository's objects.

    A worktree would leave an entry in the user's repository where we are killed. Of a shallow repository a clone shares
    nothing, and lacks what no branch holds; so it is told where the objects are.
    """
    run(repository, "clone", "--quiet", "--shared", "--no-checkout", str(repository), str(folder))
    objects = run(repository, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    (folder / ".git/objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")
    run(folder, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit_id)


def between(repository: Path, before: str, after: str) -> list[str]:
    """The commits after `before` up to `after`, the oldest first, along first parents."""
    listed = run(repository, "rev-list", "--first-parent", "--reverse", f"{before}..{after}")
    return listed.splitlines()


def title(repository: Path, commit_id: str) -> str:
    """The short id and the first line of its message."""
    return run(repository, "log", "-1", "--format=%h %s", commit_id)
