"""Parts that several pages share: tables, downloads, and widgets whose values are kept in the page's address."""
