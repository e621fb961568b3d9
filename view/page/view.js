// The page of a machine. What programs have named is inserted as text only.

const $ = id => document.getElementById(id);
const maxRecords = 1000; // in the list
const maxText = 300;     // of a record's arguments

const token = new URLSearchParams(location.search).get("token");

let socket;
let state = {cards: [], rules: [], clock: ""};
const screens = new Map(); // name → {figure, canvas, context, title, button}

function element(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

// Requests

async function send(method, path, body) {
  $("message").textContent = "";
  let response;
  try {
    response = await fetch(path, {method, headers: {Authorization: `Bearer ${token}`}, body: body && JSON.stringify(body)});
  } catch {
    $("message").textContent = "the machine does not answer";
    return;
  }
  if (!response.ok) {
    const text = await response.text();
    try {
      const e = JSON.parse(text);
      $("message").textContent = `${e.asked}: ${e.reason}` + (e.advice ? `; ${e.advice}` : "");
    } catch {
      $("message").textContent = text;
    }
  }
}

function button(text, path, name) {
  return element("button", {textContent: text, name: name ?? "", onclick: () => send("POST", path)});
}

// The connection

function connect() {
  socket = new WebSocket(`ws://${location.host}/watch?token=${token}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    $("status").textContent = "connected";
    tell({trace: $("tracing").checked});
    watch();
  };
  socket.onclose = () => { $("status").textContent = "the machine has ended, or the page is open too often"; };
  socket.onmessage = ({data}) => {
    if (data instanceof ArrayBuffer) {
      draw(data);
      return;
    }
    const update = JSON.parse(data);
    if (update.tree) {
      state = update.tree;
      showState();
    }
    if (update.trace || update.lost) showTrace(update.trace ?? [], update.lost ?? 0);
  };
}

function tell(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// watch asks for the screens of the page, or none while it is hidden.
let watched = "";
function watch() {
  const names = document.hidden ? [] : [...screens.keys()];
  watched = names.join(" ");
  tell({watch: names});
}
document.addEventListener("visibilitychange", watch);

// Pictures

function draw(data) {
  const numbers = new DataView(data);
  let at = 0;
  const number = () => { at += 2; return numbers.getUint16(at - 2, true); };
  const length = number();
  const name = new TextDecoder().decode(new Uint8Array(data, at, length));
  at += length;
  const width = number(), height = number();
  const screen = screens.get(name);
  if (screen) {
    screen.figure.classList.toggle("dark", width === 0);
    const canvas = screen.canvas;
    if (width > 0 && (canvas.width !== width || canvas.height !== height)) {
      canvas.width = width;
      canvas.height = height;
    }
    while (at < data.byteLength) {
      const x = number(), y = number(), w = number(), h = number();
      screen.context.putImageData(new ImageData(new Uint8ClampedArray(data, at, w * h * 4), w, h), x, y);
      at += w * h * 4;
    }
    canvas.dataset.pictures = Number(canvas.dataset.pictures ?? 0) + 1;
  }
  // The next picture comes when this one is on the screen.
  requestAnimationFrame(() => tell({drawn: name}));
}

function showScreens() {
  const names = new Set();
  for (const card of state.cards) {
    for (const connector of card.connectors) {
      const name = `${card.label}:${connector.name}`;
      names.add(name);
      let s = screens.get(name);
      if (!s) {
        const canvas = element("canvas", {width: 160, height: 90});
        s = {
          canvas, context: canvas.getContext("2d"), title: element("strong"), about: element("span"),
          button: element("button", {name: `plug ${name}`}),
        };
        s.figure = element("figure", {className: "dark"}, element("figcaption", {}, s.title, s.about, s.button), canvas);
        s.figure.dataset.screen = name;
        s.title.textContent = name;
        screens.set(name, s);
        $("screens").append(s.figure);
      }
      s.about.textContent = (connector.connected ? connector.monitor || "unknown monitor" : "no monitor") +
        (connector.crtc ? ` · ${connector.crtc.mode} · CRTC ${connector.crtc.index} · frame ${connector.crtc.frames}` : " · off");
      const path = `/v1/cards/${encodeURIComponent(card.label)}/connectors/${encodeURIComponent(connector.name)}/`;
      s.button.textContent = connector.connected ? "pull monitor" : "plug monitor";
      s.button.disabled = card.state !== "plugged";
      s.button.onclick = () => send("POST", path + (connector.connected ? "disconnect" : "connect"));
    }
  }
  // A card that is unplugged keeps its last picture.
  for (const [name, s] of screens) {
    if (!names.has(name) && !state.cards.some(card => name.startsWith(card.label + ":"))) {
      s.figure.remove();
      screens.delete(name);
    }
  }
  if (!document.hidden && watched !== [...screens.keys()].join(" ")) watch();
}

// The tree

const time = ms => ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`;

// An age goes on between two updates: the ages that are shown, with the time
// when they were zero.
let ages = [];
function age(ms) {
  const e = element("span", {textContent: time(ms)});
  ages.push([e, performance.now() - ms]);
  return e;
}
let ticking;
function tick() {
  for (const [e, zero] of ages) e.textContent = time(performance.now() - zero);
  ticking = ages.length > 0 ? setTimeout(tick, 100) : undefined;
}

function drain(card) {
  const u = card.unplug;
  if (!u) return [];
  const items = [];
  if (u.drained === null) {
    items.push(element("li", {className: "drain"}, `unplug: waiting for ${card.guards} guards for `, age(u.age)));
  } else {
    items.push(element("li", {}, `unplug: drained after ${time(u.drained)}`));
  }
  if (u.ended !== null) items.push(element("li", {}, `unplug: ended after ${time(u.ended)}`));
  return items;
}

function cardTree(card) {
  const path = `/v1/cards/${encodeURIComponent(card.label)}/`;
  const actions = {
    plugged: ["unplug", "unbind"], unbound: ["bind", "unplug"], unplugged: ["plug"],
    unbinding: ["unplug"], unplugging: [],
  }[card.state] ?? [];
  const list = element("ul");
  list.append(...drain(card));
  for (const c of card.connectors) {
    list.append(element("li", {}, `connector ${c.name}: ${c.connected ? c.monitor || "unknown monitor" : "no monitor"}` +
      (c.crtc ? ` ← CRTC ${c.crtc.index}` : "")));
  }
  for (const c of card.crtcs) {
    if (c.planes.length === 0) continue;
    const planes = element("ul");
    for (const p of c.planes) {
      const [x, y, w, h] = p.place;
      planes.append(element("li", {}, `plane ${p.id} (${p.type}): framebuffer ${p.fb} at ${x},${y}, ${w}×${h}`));
    }
    list.append(element("li", {}, `CRTC ${c.index} (${c.id})`, planes));
  }
  for (const fb of card.framebuffers) {
    list.append(element("li", {}, `framebuffer ${fb.id}: ${fb.width}×${fb.height} ${fb.format}, by ${fb.comm}`));
  }
  for (const c of card.clients) {
    list.append(element("li", {}, `client ${c.comm}[${c.pid}]`));
  }
  for (const g of card.openGuards) {
    list.append(element("li", {className: "guard"}, `open guard: ${g.what} of ${g.comm}[${g.pid}], for `, age(g.age)));
  }
  if (card.guards > card.openGuards.length) {
    list.append(element("li", {className: "guard"}, `open guards of the driver: ${card.guards - card.openGuards.length}`));
  }
  const head = element("header", {}, element("h2", {textContent: card.label}),
    element("span", {className: `state ${card.state}`, textContent: card.state}),
    `${card.driver} ${card.node}`, ...actions.map(a => button(a, path + a, `${a} ${card.label}`)));
  const e = element("div", {className: "card"}, head, list);
  e.dataset.card = card.label;
  return e;
}

function showState() {
  ages = [];
  showScreens();
  // A press of a button is lost if its button is replaced meanwhile.
  if (pressed) return;
  $("tree").replaceChildren(...state.cards.map(cardTree));
  $("active").replaceChildren(...state.rules.map(r => element("li", {}, `${r.rule} — fired ${r.fired} times ${r.error ? `— ${r.error} ` : ""}`,
    element("button", {textContent: "remove", name: `remove ${r.id}`, onclick: () => send("DELETE", `/v1/rules/${r.id}`)}))));
  showClock();
  if (ages.length > 0 && ticking === undefined) ticking = setTimeout(tick, 100);
}
let pressed = false;
addEventListener("pointerdown", () => { pressed = true; });
addEventListener("pointerup", () => setTimeout(() => { pressed = false; showState(); }));
addEventListener("pointercancel", () => { pressed = false; });

// The clock

const clock = $("clock").elements;
function showClock() {
  clock.mode.value = state.clock;
  clock.stop.disabled = state.clock === "step";
  clock.run.disabled = state.clock === "real";
  clock.step.disabled = clock.steps.disabled = state.clock !== "step";
}
clock.stop.onclick = () => send("POST", "/v1/clock", {mode: "step"});
clock.run.onclick = () => send("POST", "/v1/clock", {mode: "real"});
$("clock").onsubmit = event => {
  event.preventDefault();
  send("POST", "/v1/clock/step", {steps: clock.steps.valueAsNumber});
};

// The trace

const short = value => {
  const text = JSON.stringify(value) ?? "";
  return text.length > maxText ? text.slice(0, maxText) + "…" : text;
};

function recordText(r) {
  const at = `${(r.t / 1e6).toFixed(3).padStart(9)} ${(r.card ?? "").padEnd(6)} `;
  switch (r.type) {
  case "ioctl": case "open": case "close": case "mmap": case "read":
    return at + `${r.comm ?? ""}[${r.pid ?? ""}] ${r.request ?? r.type} ${short(r.in)}` +
      (r.errno ? ` = ${r.errno} (${r.error ?? ""})` : r.out !== undefined ? ` = ${short(r.out)}` : "") +
      ` <${time((r.dur ?? 0) / 1000)}>`;
  }
  return at + `${r.type}${r.event ? " " + r.event : ""}${r.crtc ? " CRTC " + r.crtc : ""}` +
    `${r.sequence !== undefined ? " " + r.sequence : ""} ${short(r.data)}`;
}

function showTrace(records, lost) {
  const list = $("records"), filter = $("filter").value.toUpperCase(), items = [];
  if (lost > 0) items.push(element("li", {className: "event", textContent: `… ${lost} records were too many`}));
  for (const r of records) {
    if (r.type === "trace") continue;
    const text = recordText(r);
    if (!text.toUpperCase().includes(filter)) continue;
    items.push(element("li", {textContent: text, className: r.errno ? "error" : r.dur === undefined ? "event" : ""}));
  }
  list.append(...items);
  while (list.children.length > maxRecords) list.firstChild.remove();
  if ($("follow").checked) list.scrollTop = list.scrollHeight;
}

$("tracing").onchange = () => tell({trace: $("tracing").checked});
$("clear").onclick = () => $("records").replaceChildren();
$("rule").onsubmit = event => {
  event.preventDefault();
  const rule = new FormData(event.target).get("rule").trim();
  if (rule !== "") send("POST", "/v1/rules", {rule});
};

connect();
