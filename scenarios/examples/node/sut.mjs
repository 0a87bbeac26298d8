// A program for Floodgate: fetches items and writes them to MongoDB. It needs "npm install
// mongodb". Scenario: sut: {command: [node, sut.mjs]}. Protocol: floodgate help protocol.
import { once } from "node:events";
import { Agent, get } from "node:http";
import { createInterface } from "node:readline";
import { MongoClient } from "mongodb";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const now = () => Number(process.hrtime.bigint());

const spec = JSON.parse(await read());
say({ floodgate: 1, type: "ready", name: "node", strategies: ["sequential", "bounded", "unbounded"], reports: ["items", "stages"] });
await read(); // go: open connections only now

const { upstream, database } = spec;
const items = [...new Map(spec.items.map((args) => [args.join("/"), args]))]; // each item once
const limit = spec.variant.limit || items.length; // 0: unlimited
const agent = new Agent({ keepAlive: true });
const client = new MongoClient(database.uri, { maxPoolSize: limit });
const collection = client.db(database.name).collection(database.collection);
const stages = { item: { values_ns: [] }, fetch: { values_ns: [] } };
const [failed, errors] = [[], {}];

async function processItem([key, args]) {
  const begun = now();
  let side = "upstream";
  try {
    const url = `${upstream.url}/items/${args.map(encodeURIComponent).join("/")}`;
    const [answer] = await once(get(url, { agent, signal: AbortSignal.timeout(30_000) }), "response");
    let body = "";
    for await (const chunk of answer) body += chunk;
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
    const { records } = JSON.parse(body);
    stages.fetch.values_ns.push(now() - begun);
    side = "mongo";
    await collection.replaceOne({ _id: key }, { item: key, seq: 0, records }, { upsert: true });
    stages.item.values_ns.push(now() - begun);
  } catch (error) {
    failed.push(key);
    errors[side] ??= { type: "other", side, count: 0, sample: String(error) };
    errors[side].count++;
  }
}

const began = now();
let next = 0;
const worker = async () => {
  while (next < items.length) await processItem(items[next++]);
};
await Promise.all(Array.from({ length: limit }, worker));
const counts = { items_done: items.length - failed.length, items_failed: failed.length };
say({ type: "done", makespan_ns: now() - began, ...counts, stages, failed, errors: Object.values(errors) });
await read(); // close
agent.destroy();
await client.close();
say({ type: "closed" });
await read(); // the end of input
process.exit(0);
