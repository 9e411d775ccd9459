"""The callables that the page is built on, and the control of who may call them."""
