// Shows named fields: ?stream=NAME&field=home&field=guest&labels=0. All streams and fields by default.

const RETRY_MS = 1000;
const query = new URLSearchParams(location.search);
const wanted = query.getAll("field");
const list = document.getElementById("fields");
if (query.get("labels") === "0") document.body.classList.add("nolabels");

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const path = location.pathname.replace(/[^/]*$/, "");
  const socket = new WebSocket(`${scheme}://${location.host}${path}api/fields/ws`);
  socket.onmessage = (message) => show(JSON.parse(message.data));
  socket.onclose = () => setTimeout(connect, RETRY_MS);
}

function show(streams) {
  const rows = [];
  for (const [stream, fields] of Object.entries(streams)) {
    if (query.has("stream") && query.get("stream") !== stream) continue;
    const names = wanted.length ? wanted.filter((name) => name in fields) : Object.keys(fields).sort();
    rows.push(...names.map((name) => row(stream, name, fields[name])));
  }
  list.replaceChildren(...rows);
}

function row(stream, name, value) {
  const element = document.createElement("div");
  element.className = "field";
  Object.assign(element.dataset, { stream, field: name, visible: value.visible });
  const label = document.createElement("dt");
  label.textContent = name;
  const text = document.createElement("dd");
  text.textContent = value.text;
  element.append(label, text);
  return element;
}

connect();
