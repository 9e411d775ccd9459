"""The parts of the page *Runs*: what its reader chose and ticked in, the table's lines, charts and actions out."""
