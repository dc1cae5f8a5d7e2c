from __future__ import annotations
import time, signal, random
from tests.acceptance.test_schedule import *
from tests.acceptance.test_schedule import miss, _loaded

def test_loop(installation):
    installation.configure(poll={"interval": "100ms"}, index={"replicas": 0}, schedule={"backfill": DAILY, "jitter": 0}, where="pg_sleep(0.005) IS NOT NULL")
    installation.sql(ROWS, 1, 800)
    installation.succeed("run", "--once")
    slow = []
    for i in range(40):
        installation.sql("DELETE FROM syncer.runs")
        miss(installation)
        installation.sql("UPDATE syncer.runs SET job = 'backfill'")
        with installation.running("run") as daemon:
            daemon.wait_for("job begins")
            time.sleep(random.choice([0, 0.01, 0.05, .2, .5]))
            before = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            try:
                code = daemon.process.wait(9)
            except Exception:
                daemon.process.send_signal(signal.SIGABRT)
                daemon.process.wait()
                raise AssertionError(daemon.log.read_text()[-12000:])
            took = time.monotonic() - before
            slow.append((round(took, 2), code))
    print(slow)
    assert 0, slow
