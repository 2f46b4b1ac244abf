"""``python -m reverie`` is the command ``reverie``."""

from reverie.cli.main import main

if __name__ == "__main__":
    main()
