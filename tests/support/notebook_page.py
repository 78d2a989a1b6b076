"""What a student does in a notebook's page; JupyterLab, Notebook 7 and JupyterLite have the same menus and cells."""

from playwright.sync_api import Page

PROMPTS = ".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)"
FAILED = ", ".join(f"[data-mime-type$='jupyter.{kind}']:not([data-before])" for kind in ("error", "stderr"))


def choose(page: Page, menu: str, entry: str) -> None:
    """Choose an entry of a menu of the notebook."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def restart_and_run_all(page: Page) -> list[str]:
    """Restart the kernel, run all cells up to the first that fails, and return their outputs."""
    choose(page, "Kernel", "Restart Kernel and Run All Cells…")
    # Until a cell runs, it shows the number and the outputs of the run before.
    page.evaluate(f"""() => {{
        document.querySelectorAll("{PROMPTS}").forEach(e => {{ e.textContent = "before"; }});
        document.querySelectorAll("[data-mime-type]").forEach(e => {{ e.dataset.before = ""; }});
    }}""")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_function(
        f"""() => document.querySelector("{FAILED}") ||
            [...document.querySelectorAll("{PROMPTS}")].every(e => /^\\[\\d+\\]:$/.test(e.textContent))"""
    )
    # A folded cell shows no number, and what a cell printed may still be on its way.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()
    return page.locator(".jp-OutputArea-output").all_inner_texts()
