"""What MkDocs calls while it builds the site (mkdocs.yml): adds the pages that are made from the code."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads hooks from their file
import pages


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code."""
    for path, markdown in pages.generated().items():
        files.append(File.generated(config, path, content=markdown))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files outside of docs/ to their pages."""
    return markdown if page.file.generated_by else pages.rewritten(markdown)
