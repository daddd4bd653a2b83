// Events as the server sends them. After a break the browser asks again by itself and says how far it had come.

const SILENCE_MS = 15_000; // the server says something every 5 s

export function connect({ onEvents, onRestart, onState }) {
  let source;
  let place = "";
  let heard = Date.now();

  const open = () => {
    source = new EventSource(`api/events?after=${encodeURIComponent(place)}`);
    source.onopen = () => {
      heard = Date.now();
      onState("connected");
    };
    source.onerror = () => {
      onState("lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 1000); // the browser has given up
    };
    source.addEventListener("restart", (message) => {
      note(message);
      onRestart();
    });
    source.addEventListener("events", (message) => {
      note(message);
      onEvents(JSON.parse(message.data));
    });
    source.addEventListener("beat", note);
  };

  const note = (message) => {
    heard = Date.now();
    if (message.lastEventId) place = message.lastEventId;
  };

  open();
  setInterval(() => {
    if (Date.now() - heard > SILENCE_MS) {
      heard = Date.now();
      source.close();
      onState("lost");
      open();
    }
  }, 1000);
}
