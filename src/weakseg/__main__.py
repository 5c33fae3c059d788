"""``python -m weakseg`` is the command ``weakseg``."""

from weakseg.cli.app import main

if __name__ == "__main__":
    main()
