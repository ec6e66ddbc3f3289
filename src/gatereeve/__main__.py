"""`python -m gatereeve` is the command line."""

from gatereeve.cli import main

if __name__ == "__main__":
    main()
