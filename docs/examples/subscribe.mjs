// Events of stream_ocr in Node.js: each once, in order, whatever was missed. Prints one line of JSON an event.
//
//     npm install zeromq
//     node subscribe.mjs tcp://127.0.0.1:5560 [COUNT [keys/NAME.key_secret keys/server.key]]
//
// docs/events.md says why it does what it does.
import { readFileSync } from "node:fs";
import { Dealer, Subscriber } from "zeromq";

const [endpoint = "tcp://127.0.0.1:5560", count = Infinity, key, serverKey] = process.argv.slice(2);

const events = new Subscriber(security());
const requests = new Dealer(security());
events.connect(endpoint);
requests.connect(endpoint.replace(/\d+$/, (port) => Number(port) + 1));
events.subscribe(); // everything; "gate/" for one stream

// name -> { last: seq handed over, stored: seq up to which all of that is stored, known: seq that there is,
// held: later events and whether they are stored, early: ids of what was handed over but not stored, asking: id of a replay }
const streams = new Map();
let asked = 0;
let left = Number(count);
let store = null;

function security() {
  if (!key) return { linger: 0 };
  const entry = (file, name) => readFileSync(file, "ascii").match(new RegExp(`${name} = "(.{40})"`))[1];
  return {
    linger: 0,
    curveServerKey: entry(serverKey, "public-key"),
    curvePublicKey: entry(key, "public-key"),
    curveSecretKey: entry(key, "secret-key"),
  };
}

function stream(name) {
  if (!streams.has(name)) {
    streams.set(name, { last: -1, stored: -1, known: -1, held: new Map(), early: new Map(), asking: 0 });
  }
  return streams.get(name);
}

function know(name, seq) {
  const here = stream(name);
  here.known = Math.max(here.known, seq);
  if (here.last < here.known && !here.asking && !here.held.has(here.last + 1)) {
    const id = (here.asking = ++asked);
    requests.send(JSON.stringify({ ask: "replay", id, stream: name, after: here.last }));
    const again = () => here.asking === id && ((here.asking = 0), know(name, -1));
    setTimeout(again, 2000).unref(); // no answer
  }
}

function take(event) {
  const here = stream(event.stream);
  const isStored = event.durable !== false;
  if (isStored && here.stored < Math.min(event.seq, here.last)) {
    here.last = here.stored; // see what was stored in place of what was not
    here.asking = 0;
  }
  if (event.seq > here.last) here.held.set(event.seq, [event, isStored]); // what was had before is dropped
  handOver(here);
  know(event.stream, event.seq);
}

function handOver(here) {
  for (let held; (held = here.held.get(here.last + 1)); here.last += 1) {
    const [event, isStored] = held;
    const isRepeated = here.early.get(event.seq) === event.id;
    here.held.delete(event.seq);
    here.early.delete(event.seq);
    if (isStored) here.stored = event.seq;
    else here.early.set(event.seq, event.id);
    if (isRepeated) continue;
    if (left-- > 0) console.log(JSON.stringify(event));
    if (left <= 0) return process.stdout.write("", () => process.exit(0)); // once all is written
  }
}

async function listen() {
  for await (const [topic, payload] of events) {
    const told = JSON.parse(payload);
    if (topic.toString() !== "/heartbeat") take(told);
    else {
      if (store !== null && store !== told.store) streams.clear(); // another store counts from 0
      store = told.store;
      for (const [name, last] of Object.entries(told.streams)) know(name, last);
    }
  }
}

async function answers() {
  for await (const [payload] of requests) {
    const reply = JSON.parse(payload);
    if (reply.reply !== "replay") continue;
    store ??= reply.store;
    if (reply.store !== store) continue; // asked of one store, answered by another; heartbeats tell which one is there
    const here = stream(reply.stream);
    if (reply.id !== here.asking) continue; // an earlier one
    here.asking = 0;
    for (const event of reply.events) if (event.seq > here.last) here.held.set(event.seq, [event, true]);
    // What is missing up to "through" is no longer kept; what is held behind the last one is not stored.
    const end = reply.through < reply.last ? reply.through : Infinity;
    for (const seq of [...here.held.keys()].sort((a, b) => a - b)) {
      if (seq > end) break;
      here.last = Math.max(here.last, seq - 1);
      handOver(here);
    }
    here.last = Math.max(here.last, reply.through);
    here.stored = Math.max(here.stored, reply.through);
    handOver(here);
    if (end === Infinity) here.known = here.last;
    know(reply.stream, reply.last);
  }
}

await Promise.all([listen(), answers()]);
