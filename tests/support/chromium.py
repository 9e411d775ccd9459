"""Nothing in; the options with which tests start Chromium: no GPU, and nothing to be found but this machine."""

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""Without a GPU, pages are drawn directly: an imitated one takes twice the time, and only WebGL, which no page has,
would need it. The last option leaves nothing to be found but this machine; Playwright's routes would do so, too, but
they cost every request a call and the browser its cache."""
