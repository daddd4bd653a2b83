// Receives server-sent events. After a break the browser reconnects and sends its position.

const TIMEOUT_MS = 15_000; // the server sends a heartbeat every 5 s
const RETRY_MS = 1000;

export function connect({ onEvents, onRestart, onState }) {
  let source;
  let position = "";
  let lastMessage = Date.now();

  const open = () => {
    source = new EventSource(`api/events?after=${encodeURIComponent(position)}`);
    source.onopen = () => {
      lastMessage = Date.now();
      onState("connected");
    };
    source.onerror = () => {
      onState("lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS); // the browser has given up
    };
    source.addEventListener("restart", (message) => {
      onMessage(message);
      onRestart();
    });
    source.addEventListener("events", (message) => {
      onMessage(message);
      onEvents(JSON.parse(message.data));
    });
    source.addEventListener("heartbeat", onMessage);
  };

  const onMessage = (message) => {
    lastMessage = Date.now();
    if (message.lastEventId) position = message.lastEventId;
  };

  open();
  setInterval(() => {
    if (Date.now() - lastMessage > TIMEOUT_MS) {
      lastMessage = Date.now();
      source.close();
      onState("lost");
      open();
    }
  }, 1000);
}
