"""The site: `make docs`. Pages are MyST, the API comes from the docstrings, the command line from its own help.

What is generated lies in folders that git ignores: `_generated`, `auto_gallery`, `notebooks` (copies of the executed
ones, shown as they are).
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).parent))

import generate

from jaxrd import __version__

project = "jaxrd"
author = "the jaxrd authors"
copyright = author
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "generate",
]
exclude_patterns = ["README.md", "_build", "_generated/*.md", "gallery/*", "auto_gallery/*.ipynb"]
smartquotes = False  # options and quotes can be copied
html_theme = "sphinx_book_theme"
html_title = "jaxrd"
html_theme_options = {
    "repository_url": generate.repository(),
    "repository_branch": "main",
    "path_to_docs": "docs",
    "use_repository_button": True,
    "use_edit_page_button": True,
    "use_issues_button": True,
    "home_page_in_toc": True,
    "show_toc_level": 2,
}
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "light"}
html_math_renderer = "mathml"
html_extra_path = ["_generated/site"]
html_show_sourcelink = False
html_copy_source = False

nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!jaxrd).*")]  # names of other packages: no inventory is fetched
default_role = "code"  # the docstrings write `name` as Markdown does

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests execute the notebooks; the site shows what they wrote
nb_merge_streams = True
nb_ipywidgets_js = {}  # no page asks the network for anything

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "remove_config_comments": True,
    "within_subsection_order": "FileNameSortKey",
    "min_reported_time": 1000,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "abort_on_example_error": True,
    "nested_sections": False,
}
