"""The callables that the page is built over, and who may call them."""
