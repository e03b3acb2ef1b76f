"""A browser for looking at pages: the distribution's Chromium without a window."""

from e2e.browser.programs import Browser, ensure_browser

__all__ = ["Browser", "ensure_browser"]
