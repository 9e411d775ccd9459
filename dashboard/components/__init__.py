"""What several pages share: tables, downloads, widgets bound to the address."""
