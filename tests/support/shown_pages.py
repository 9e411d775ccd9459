"""A page of the dashboard under test in; what it shows, once it has run without an error, out."""

from streamlit.testing.v1 import AppTest


def shown(test: AppTest) -> AppTest:
    test.run()
    assert [error.message for error in test.exception] == []
    return test


def texts(test: AppTest) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "code")
    return "\n".join(str(part.value) for kind in kinds for part in test.get(kind))


def table(test: AppTest, column: str):
    return next(frame.value for frame in test.dataframe if column in frame.value)
