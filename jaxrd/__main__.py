"""`python -m jaxrd`."""

from jaxrd.cli import main

if __name__ == "__main__":
    main()
