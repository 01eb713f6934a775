"""A training that prints whatever keys are mounted, at every breath, and then trains as trains.py does."""

import os
import runpy
import sys
import threading
import time
from pathlib import Path


def tell() -> None:
    while True:
        for path in Path(os.environ["TRAINJOBS_STORAGE_KEYS"]).glob("AWS_*"):
            print(f"{path.name} is {path.read_text()}", flush=True)
        time.sleep(0.1)


threading.Thread(target=tell, daemon=True).start()
sys.argv[0] = str(Path(__file__).with_name("trains.py"))
runpy.run_path(sys.argv[0], run_name="__main__")
