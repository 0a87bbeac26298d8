"""Fetches items and writes them to MongoDB; a program for Floodgate, see floodgate help protocol.
It needs "pip install gevent pymongo requests". Scenario: sut: {command: [python3, sut.py]}.
"""
from gevent import monkey, pool; monkey.patch_all()  # noqa: E702
import json, sys, time
from contextlib import ExitStack
from urllib.parse import quote
import pymongo, requests
from requests.adapters import HTTPAdapter

now, spec = time.perf_counter_ns, json.loads(sys.stdin.readline())
upstream, database = spec["upstream"], spec["database"]
say = lambda **message: print(json.dumps(message), flush=True)  # noqa: E731


def work(arguments, collection):
    """Process items, write to the collection; return what "done" reports, and the clients."""
    items, clients = list({"/".join(args): args for args in arguments}.items()), ExitStack()  # each item once
    limit = spec["variant"].get("limit", 0) or len(items)  # 0: unlimited
    session = clients.enter_context(requests.Session())
    session.mount("http://", HTTPAdapter(pool_maxsize=limit))
    documents = clients.enter_context(pymongo.MongoClient(database["uri"]))[database["name"]][collection]
    fetched, times, failed, errors = [], [], [], {}

    def process(item):
        (key, args), begun, side = item, now(), "upstream"
        try:
            url = upstream["url"] + "/items/" + "/".join(quote(arg, safe="") for arg in args)
            answer = session.get(url, timeout=30)
            answer.raise_for_status()
            side = "mongo"
            fetched.append(now() - begun)
            documents.replace_one({"_id": key}, {"item": key, "seq": 0, "records": answer.json()["records"]}, upsert=True)
            times.append(now() - begun)
        except Exception as error:
            failed.append(key)
            errors.setdefault(side, {"type": "other", "side": side, "count": 0, "sample": str(error)})["count"] += 1

    began = now()
    pool.Pool(limit).map(process, items)
    tenths = [times[i * len(items) // 20:(i + 1) * len(items) // 20] for i in range(10)]
    return {"makespan_ns": now() - began, "stages": {"item": {"values_ns": times}, "fetch": {"values_ns": fetched}},
            "failed": failed, "items_done": len(items) - len(failed), "items_failed": len(failed), "errors": list(errors.values()),
            "early_ns": [sum(t) // len(t) for t in tenths] if all(tenths) else []}, clients


say(floodgate=1, type="ready", name="python", strategies=["sequential", "bounded", "unbounded"], reports=["items", "stages"], warmup=True)
for line in sys.stdin:
    message, begun = json.loads(line)["type"], now()
    while message == "warmup":
        done, clients = work(spec["warmup"]["items"], spec["warmup"]["collection"])
        clients.close()
        if now() - begun >= spec["warmup"].get("for_ns", 0):
            message = say(type="warm")
    if message == "go":  # open connections only now
        done, clients = work(spec["items"], database["collection"])
        say(type="done", **done)
    if message == "close":
        clients.close()
        say(type="closed")
