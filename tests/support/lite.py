"""The script that builds JupyterLite, as a module: tests build with it and check what it refuses."""

import importlib.util

from tests.support import ROOT

spec = importlib.util.spec_from_file_location("jupyterlite_build", ROOT / "book" / "lite" / "build.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

build, check_runtime, replace_notebooks = module.build, module.check_runtime, module.replace_notebooks
add_notices = module.add_notices
