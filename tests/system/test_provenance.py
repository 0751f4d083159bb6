import json
import subprocess

import pytest

import sr_jax
from sr_jax.system import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository that holds the package."""
    package = tmp_path / "sr_jax"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(sr_jax, "__file__", str(package / "__init__.py"))
    provenance.commit.cache_clear()
    yield package
    provenance.commit.cache_clear()


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_checkout(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "first")
    assert provenance.commit() == git(checkout, "rev-parse", "--short=12", "HEAD")
    (checkout / "__init__.py").write_text("changed = 1\n")
    provenance.commit.cache_clear()
    assert provenance.commit() == git(checkout, "rev-parse", "--short=12", "HEAD") + "-dirty"


def test_outside_a_checkout_the_version(checkout):
    assert provenance.commit() == f"version {sr_jax.__version__}"
    git(checkout.parent, "init", "-q")  # somebody else's repository, in which the package is no tracked file
    git(checkout.parent, "commit", "-qm", "first", "--allow-empty")
    provenance.commit.cache_clear()
    assert provenance.commit() == f"version {sr_jax.__version__}"


def test_description_is_plain_data():
    made = json.loads(json.dumps(provenance.describe()))
    assert made["versions"]["jax"]
    assert made["device_count"] == 4
