// A program for Floodgate: fetches items and writes them to MongoDB. It needs "npm install
// mongodb". Scenario: sut: {command: [node, sut.mjs]}. Protocol: floodgate help protocol.
import { once } from "node:events";
import { Agent, get } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { MongoClient } from "mongodb";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const now = () => Number(process.hrtime.bigint());
const { upstream, database, variant, warmup, items } = JSON.parse(await read());

// work processes items and writes to the collection. It returns what "done" reports, and how to close the clients.
async function work(args, into) {
  const items = [...new Map(args.map((a) => [a.join("/"), a]))]; // each item once
  const limit = variant.limit || items.length; // 0: unlimited
  const agent = new Agent({ keepAlive: true });
  const client = new MongoClient(database.uri, { maxPoolSize: limit });
  const collection = client.db(database.name).collection(into);
  const [fetched, times, failed, errors] = [[], [], [], {}];
  const processItem = async ([key, args]) => {
    let [begun, side] = [now(), "upstream"];
    try {
      const path = `/items/${args.map(encodeURIComponent).join("/")}`;
      const [answer] = await once(get(upstream.url + path, { agent, signal: AbortSignal.timeout(30_000) }), "response");
      const body = await text(answer);
      if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
      const { records } = JSON.parse(body);
      fetched.push(now() - begun);
      side = "mongo";
      await collection.replaceOne({ _id: key }, { item: key, seq: 0, records }, { upsert: true });
      times.push(now() - begun);
    } catch (error) {
      failed.push(key);
      (errors[side] ??= { type: "other", side, count: 0, sample: String(error) }).count++;
    }
  };
  let [next, began] = [0, now()];
  await Promise.all(Array.from({ length: limit }, async () => { while (next < items.length) await processItem(items[next++]); }));
  const [makespan_ns, stages] = [now() - began, { item: { values_ns: times }, fetch: { values_ns: fetched } }];
  const tenths = Array.from({ length: 10 }, (_, i) => times.slice((i * items.length) / 20, ((i + 1) * items.length) / 20));
  const early_ns = tenths.some((t) => !t.length) ? [] : tenths.map((t) => Math.round(t.reduce((a, b) => a + b) / t.length));
  const counts = { items_done: items.length - failed.length, items_failed: failed.length };
  const close = async () => { agent.destroy(); await client.close(); };
  return { close, report: { makespan_ns, early_ns, stages, failed, ...counts, errors: Object.values(errors) } };
}

say({ floodgate: 1, type: "ready", name: "node", strategies: ["sequential", "bounded", "unbounded"], reports: ["items", "stages"], warmup: true });
for (let line, done; (line = await read()); ) {
  const [{ type }, begun] = [JSON.parse(line), now()];
  if (type === "warmup") {
    do await (await work(warmup.items, warmup.collection)).close(); while (now() - begun < (warmup.for_ns ?? 0));
    say({ type: "warm" });
  }
  if (type === "go") say({ type: "done", ...(done = await work(items, database.collection)).report }); // opens connections only now
  if (type === "close") await done.close(), say({ type: "closed" });
}
process.exit(0);
