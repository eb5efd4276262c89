import time, cProfile, pstats
from crm_testkit.toy_service import MANIFEST
from crm_testkit.service import running_service
async def test_it(postgres_database, event_log_database, tmp_path):
    async with running_service(MANIFEST, postgres_database("toy"), event_log_database(), tmp_path) as s:
        t = s.tenant()
        for n in (100, 100, 500, 1000, 100):
            a=time.perf_counter()
            p = None
            if p: p.enable()
            r = await t.client.post("/v1/notes/batch", json={"operations":[{"method":"create","data":{"title":f"n{i}"}} for i in range(n)]})
            if p: p.disable(); pstats.Stats(p).sort_stats("tottime").print_stats(22)
            print(n, r.status_code, time.perf_counter()-a)
