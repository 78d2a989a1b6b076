"""What a student does in a notebook's page; JupyterLab, Notebook 7 and JupyterLite have the same menus and cells."""

from playwright.sync_api import Page


def choose(page: Page, menu: str, entry: str) -> None:
    """Choose an entry of a menu of the notebook."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def restart_and_run_all(page: Page) -> list[str]:
    """Restart the kernel, run all cells up to the first that fails, and return their outputs."""
    choose(page, "Kernel", "Restart Kernel and Run All Cells…")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_function(
        """() => document.querySelector("[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']") ||
            [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)")].every(e => /^\\[\\d+\\]:$/.test(e.textContent))"""
    )
    # A folded cell shows no number, and what a cell printed may still be on its way.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()
    return page.locator(".jp-OutputArea-output").all_inner_texts()
