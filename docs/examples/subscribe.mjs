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

const streams = new Map(); // name -> { last: seq handed over, known: seq that there is, held: later events, asking }
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
  if (!streams.has(name)) streams.set(name, { last: -1, known: -1, held: new Map(), asking: false });
  return streams.get(name);
}

function know(name, seq) {
  const here = stream(name);
  here.known = Math.max(here.known, seq);
  if (here.last < here.known && !here.asking && !here.held.has(here.last + 1)) {
    here.asking = true;
    requests.send(JSON.stringify({ ask: "replay", stream: name, after: here.last }));
    setTimeout(() => ((here.asking = false), know(name, -1)), 2000).unref(); // no answer: ask again
  }
}

function take(event) {
  const here = stream(event.stream);
  if (event.seq > here.last) here.held.set(event.seq, event); // what was had before is dropped
  handOver(here);
  know(event.stream, event.seq);
}

function handOver(here) {
  for (let event; (event = here.held.get(here.last + 1)); here.last += 1) {
    here.held.delete(event.seq);
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
    here.asking = false;
    for (const event of reply.events) if (event.seq > here.last) here.held.set(event.seq, event);
    // What is missing up to "through" is no longer kept: go on with what is there.
    for (const seq of [...here.held.keys()].sort((a, b) => a - b)) {
      if (seq > reply.through) break;
      here.last = seq - 1;
      handOver(here);
    }
    here.last = Math.max(here.last, reply.through);
    handOver(here);
    know(reply.stream, reply.last);
  }
}

await Promise.all([listen(), answers()]);
