"""Says that it runs, and sleeps."""

import sys
import time

sys.stderr.write("running\n")
sys.stderr.flush()
time.sleep(60)
