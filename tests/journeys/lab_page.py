"""JupyterLab as a learner sees it: the assignments panel, and cells edited where they stand."""

from playwright.sync_api import Locator, Page, expect

FOLDER = "data-processing/quality-audit"
NOTEBOOK = f"{FOLDER}/quality-audit.ipynb"
SHOWN_WITHIN_MS = 60_000
RUN_WITHIN_MS = 180_000
"""A validation runs the whole notebook, and on a small machine the whole class validates at once."""


class LabPage:
    """One learner's JupyterLab, opened by `open` once the server runs."""

    def __init__(self, page: Page, server_url: str) -> None:
        self.page = page
        self._server_url = server_url

    def open(self) -> None:
        """Open JupyterLab with the panel in front."""
        self.page.goto(f"{self._server_url}lab?reset")
        self.page.wait_for_selector("#practicum-assignments", state="attached", timeout=SHOWN_WITHIN_MS)
        self.page.click('[data-id="practicum-assignments"]')
        expect(self.panel).to_be_visible()

    @property
    def panel(self) -> Locator:
        return self.page.locator(".practicum-panel")

    @property
    def card(self) -> Locator:
        return self.panel.locator(f'.practicum-card[data-assignment="{FOLDER}"]')

    @property
    def outcome(self) -> Locator:
        """What came of the last button."""
        return self.card.locator(".practicum-outcome")

    def press(self, action: str) -> None:
        """Press a button of the card with the keyboard alone."""
        self.card.locator(f'[data-action="{action}"]').focus()
        self.page.keyboard.press("Enter")

    def refresh(self) -> None:
        self.panel.locator('[data-action="refresh"]').click()

    def delete_folder(self) -> None:
        """Delete the assignment's folder in the file browser, as people do who want to begin again."""
        course, _, assignment = FOLDER.partition("/")
        self.page.click('[data-id="filebrowser"]')
        items = self.page.locator(".jp-DirListing-item")
        items.filter(has_text=course).dblclick()
        items.filter(has_text=assignment).click(button="right")
        self.page.click('.lm-Menu [data-command="filebrowser:delete"]')
        self.page.click(".jp-Dialog .jp-mod-accept")
        expect(items).to_have_count(0)
        self.page.click('[data-id="practicum-assignments"]')

    def write_cell(self, marker: str, text: str) -> None:
        """Replace the text of the one cell that says `marker`, typing where it stands."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").filter(has_text=marker)
        cell.scroll_into_view_if_needed()
        if "jp-MarkdownCell" in (cell.get_attribute("class") or ""):
            cell.dblclick()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def ask_server(self, method: str, path: str, body: object = None) -> object:
        """An answer of the server's own file API, asked for as a script in this page would; None where it has no body."""
        return self.page.evaluate(_ASK, [method, f"{self._server_url}api/contents/{path}", body])


_ASK = """async ([method, url, body]) => {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "";
  const answer = await fetch(url, {method, body: body && JSON.stringify(body), headers: {"X-XSRFToken": token}});
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}"""
