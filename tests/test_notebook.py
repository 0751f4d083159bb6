"""docs/using.ipynb runs, and prints what it shows."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

PAGE = ROOT / "docs/using.ipynb"
MOST_BYTES = 250_000


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What each cell printed and returned, without pictures."""
    return [
        "".join(output.get("text") or output["data"]["text/plain"] for output in cell.get("outputs", ()))
        for cell in notebook.cells
    ]


def test_the_notebook_is_short_and_has_been_run():
    notebook = nbformat.read(PAGE, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(notebook.cells) == 10
    assert PAGE.stat().st_size < MOST_BYTES


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the notebook's libraries are not ours
def test_the_notebook_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")
    notebook = nbformat.read(PAGE, as_version=4)
    shown = texts(notebook)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert texts(notebook) == shown
