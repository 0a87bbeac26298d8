"""A program for Floodgate: fetches items and writes them to MongoDB. It needs "pip install
gevent pymongo requests". Scenario: sut: {command: [python3, sut.py]}. Protocol: floodgate
help protocol.
"""
from gevent import monkey, pool; monkey.patch_all()  # noqa: E702
import json, sys, time
from urllib.parse import quote

import pymongo
import requests
from requests.adapters import HTTPAdapter

spec = json.loads(sys.stdin.readline())


def say(**message):
    print(json.dumps(message), flush=True)


say(floodgate=1, type="ready", name="python", strategies=["sequential", "bounded", "unbounded"], reports=["items", "stages"])
sys.stdin.readline()  # go: open connections only now

upstream, database = spec["upstream"], spec["database"]
items = list({"/".join(args): args for args in spec["items"]}.items())  # each item once
limit = spec["variant"].get("limit", 0) or len(items)  # 0: unlimited
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=limit))
client = pymongo.MongoClient(database["uri"])
collection = client[database["name"]][database["collection"]]
stages, failed, errors = {"item": {"values_ns": []}, "fetch": {"values_ns": []}}, [], {}


def process(item):
    key, args = item
    begun = time.perf_counter_ns()
    side = "upstream"
    try:
        url = upstream["url"] + "/items/" + "/".join(quote(arg, safe="") for arg in args)
        answer = session.get(url, timeout=30)
        answer.raise_for_status()
        stages["fetch"]["values_ns"].append(time.perf_counter_ns() - begun)
        side = "mongo"
        document = {"_id": key, "item": key, "seq": 0, "records": answer.json()["records"]}
        collection.replace_one({"_id": key}, document, upsert=True)
        stages["item"]["values_ns"].append(time.perf_counter_ns() - begun)
    except Exception as error:
        failed.append(key)
        errors.setdefault(side, {"type": "other", "side": side, "count": 0, "sample": str(error)})["count"] += 1


began = time.perf_counter_ns()
workers = pool.Pool(limit)  # an empty pool is falsy: never write "workers or …"
workers.map(process, items)
say(type="done", makespan_ns=time.perf_counter_ns() - began, stages=stages, failed=failed,
    items_done=len(items) - len(failed), items_failed=len(failed), errors=list(errors.values()))
sys.stdin.readline()  # close
session.close()
client.close()
say(type="closed")
sys.stdin.readline()  # the end of input
