"""``python -m rspnet_core.cli``."""

from rspnet_core.cli.main import main

if __name__ == "__main__":
    main()
