"""`python -m stan`: the same as `stan`."""

from stan.cli import main

if __name__ == "__main__":
    main()
